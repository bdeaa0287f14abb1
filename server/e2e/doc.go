// Package e2e tests the facteur binary from outside: a case is a txtar file in
// testdata with a mail.toml, messages and dialogs, run by testscript. The verbs
// of a case and how to write one are in README.md.
//
// The crash test kills the server at random during a load of deliveries and
// shows that each message answered with 250 is there exactly once.
package e2e
