package server

import (
	"context"
	"errors"
	"io"
	"strings"
	"testing"

	"facteur/plugins/lua"
	"facteur/server/address"
	"facteur/server/envelope"
)

// TestLearner: all plugins that learn are told, also when one of them fails.
func TestLearner(t *testing.T) {
	if learner([]lua.Module{{Name: "lists"}}) != nil {
		t.Error("who learns nothing is a learner")
	}
	var told []string
	learns := func(name string, fail error) lua.Module {
		return lua.Module{Name: name, Learn: func(_ context.Context, kind string, r io.Reader) error {
			raw, err := io.ReadAll(r)
			told = append(told, name+" "+kind+" "+string(raw))
			return errors.Join(err, fail)
		}}
	}
	learn := learner([]lua.Module{{Name: "lists"}, learns("a", errors.New("busy")), learns("b", nil)})
	err := learn(t.Context(), address.Address{}, "spam", envelope.Bytes("x"))
	if err == nil || err.Error() != "a: busy" || strings.Join(told, ", ") != "a spam x, b spam x" {
		t.Errorf("%q, %v", told, err)
	}
}
