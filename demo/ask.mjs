// Asks rude-comments about two comments over the socket that is named: node ask.mjs SOCKET
import http from "node:http";

const texts = ["Thank you for the quick review!", "You are an idiot."];
const rows = { name: "rows", datatype: "BYTES", shape: [texts.length], data: texts };
const options = { socketPath: process.argv[2], path: "/v2/models/rude-comments/infer", method: "POST" };
const request = http.request(options, (response) => {
  const parts = [];
  response.on("data", (part) => parts.push(part));
  response.on("end", () => {
    const answer = JSON.parse(Buffer.concat(parts).toString("utf8"));
    if (response.statusCode !== 200) throw new Error(answer.error);
    console.log(`Node: ${answer.model_name} ${answer.model_version} says ${JSON.stringify(answer.outputs[0].data)}`);
  });
});
request.end(JSON.stringify({ inputs: [rows], outputs: [{ name: "predict" }] }));
