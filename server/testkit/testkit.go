// Package testkit has the fakes that tests of several packages share: a name
// server that answers from a zone file, a peer MTA that misbehaves as told, and
// builders of messages. All listen on 127.0.0.1 port 0 and end with the test.
//
// It is imported by tests only.
package testkit
