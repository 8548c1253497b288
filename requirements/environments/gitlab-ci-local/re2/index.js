// gitlab-ci-local reads the patterns of `rules` with RE2, a native module that is compiled for minutes. Those that it
// meets here are ours, so JavaScript's own do.
module.exports = RegExp;
