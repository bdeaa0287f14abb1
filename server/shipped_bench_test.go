package server

import (
	"log/slog"
	"testing"

	"facteur/plugins/lua"
	"facteur/plugins/plugintest"
	"facteur/scripts"
	"facteur/server/envelope"
	"facteur/server/hook"
	"facteur/server/trial"
)

// BenchmarkShipped runs three scripts that ship over a message, as it comes and as it is
// delivered.
func BenchmarkShipped(b *testing.B) {
	modules := []lua.Module{}
	for _, p := range plugins {
		if p.Always {
			modules = append(modules, p.New(plugintest.Settings(b, nil)))
		}
	}
	host := lua.New(lua.Options{Modules: modules, Log: slog.New(slog.DiscardHandler)})
	var hooks []hook.Hook
	for _, name := range []string{"scripts/spam.lua", "scripts/newcomers.lua", "scripts/sort.lua"} {
		s, _ := scripts.Find(name)
		program, err := host.Compile(s.Name, s.Source)
		if err != nil {
			b.Fatal(err)
		}
		hooks = append(hooks, hook.Hook{Program: program})
	}
	world := trial.NewWorld(nil)
	body := envelope.Bytes(trial.Draft{
		From: "Carol <carol@example.net>", To: "me@example.org", Subject: "The minutes of Monday", Date: world.Now, ID: "m1@example.net",
		Text: "Dear all,\n\nthe minutes are at https://example.net/minutes/2026-06-15.\n\nCarol\n",
	}.Bytes())
	b.ReportAllocs()
	for b.Loop() {
		facts := world.Facts()
		if err := facts.SetBody(body); err != nil {
			b.Fatal(err)
		}
		facts.Message.Auth = &hook.Authenticity{SPF: "pass", DKIM: "pass", DMARC: "pass"}
		in := hook.Run(b.Context(), hooks, world.Call(hook.Data, facts))
		facts.Message.Spam = in.Spam
		out := hook.Run(b.Context(), hooks, world.Call(hook.Deliver, facts))
		if len(in.Failures)+len(out.Failures) > 0 || len(out.Actions) != 1 {
			b.Fatal(in.Failures, out.Failures, out.Actions)
		}
	}
}
