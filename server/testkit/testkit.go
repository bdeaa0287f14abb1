// Package testkit has the fakes that tests of several packages share: a name
// server that answers from a zone file, a peer MTA that misbehaves as told,
// builders of messages, a process to kill, a log. What listens does so on 127.0.0.1 port
// 0, and all ends with the test.
//
// It is imported by tests only.
package testkit
