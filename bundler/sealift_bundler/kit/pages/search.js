// Looks for the words of ?q= in the sections below, and shows where all of them stand. Nothing is fetched.
"use strict";

const MOST = 50;
const AROUND = 80;
const sections = JSON.parse(document.getElementById("sections").textContent);
const box = document.getElementById("q");
const shown = document.getElementById("found");
const said = document.getElementById("said");

function plain(text) {
  return text.normalize("NFKD").replace(/\p{M}/gu, "").toLowerCase();
}

// A word in the title of its page says more than one in a heading, and that more than one in the text. A page's
// beginning has its title for a heading, and so stands before its sections.
function weight(section, words) {
  let sum = 0;
  for (const word of words) {
    const heading = section.heading || section.title;
    const here = 40 * section.title.includes(word) + 20 * heading.includes(word);
    const count = section.text.split(word).length - 1;
    if (here + count === 0) return 0;
    sum += here + Math.min(count, 10);
  }
  return sum;
}

function passage(text, words) {
  const folded = plain(text);
  const places = words.map((word) => folded.indexOf(word)).filter((place) => place >= 0);
  const near = Math.max(0, (places.length ? Math.min(...places) : 0) - AROUND);
  const start = near && text.indexOf(" ", near) + 1;
  const part = text.slice(start, start + 3 * AROUND);
  return (start ? "… " : "") + part + (start + part.length < text.length ? " …" : "");
}

function line(section, words) {
  const entry = document.createElement("li");
  const link = document.createElement("a");
  link.href = section.href;
  link.textContent = section.heading ? `${section.title}: ${section.heading}` : section.title;
  const text = document.createElement("div");
  text.textContent = passage(section.text, words);
  entry.append(link, text);
  return entry;
}

function search() {
  const words = plain(box.value).split(/\s+/).filter(Boolean);
  const found = words.length
    ? folded
        .map((section, place) => [weight(section, words), place])
        .filter(([sum]) => sum > 0)
        .sort(([one, first], [other, second]) => other - one || first - second)
    : [];
  shown.replaceChildren(...found.slice(0, MOST).map(([, place]) => line(sections[place], words)));
  const more = found.length > MOST ? `, the best ${MOST} of them here` : "";
  said.textContent = words.length ? `${found.length} ${found.length === 1 ? "section" : "sections"}${more}` : "";
}

const folded = sections.map(({ title, heading, text }) => ({
  title: plain(title),
  heading: plain(heading),
  text: plain(text),
}));
box.value = new URLSearchParams(location.search).get("q") || "";
box.addEventListener("input", search);
box.form.addEventListener("submit", (event) => event.preventDefault());
search();
box.focus();
