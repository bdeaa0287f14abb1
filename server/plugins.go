package server

import (
	"fmt"
	"log/slog"
	"path/filepath"
	"reflect"
	"slices"
	"strings"

	"facteur/plugins/clamav"
	"facteur/plugins/dnsbl"
	"facteur/plugins/http"
	"facteur/plugins/lists"
	"facteur/plugins/lua"
	"facteur/plugins/rspamd"
	"facteur/server/config"
	"facteur/server/control"
)

// plugins are those that there are. Adding one is adding its folder, and its line here.
var plugins = []lua.Plugin{
	clamav.Plugin,
	dnsbl.Plugin,
	http.Plugin,
	lists.Plugin,
	rspamd.Plugin,
}

// openPlugins returns the modules of the plugins that are on.
func openPlugins(cfg *config.Config) ([]lua.Module, error) {
	var modules []lua.Module
	var wrong problems
	for _, table := range cfg.Plugins {
		if !slices.ContainsFunc(plugins, func(p lua.Plugin) bool { return p.Name == table.Name }) {
			problem := control.Problem(table.Places[""])
			problem.Text, problem.Hint = fmt.Sprintf("there is no plugin %q", table.Name), "there are "+pluginNames()
			wrong = append(wrong, problem)
		}
	}
	for _, p := range plugins {
		i := slices.IndexFunc(cfg.Plugins, func(t config.Plugin) bool { return t.Name == p.Name })
		table := config.Plugin{Name: p.Name}
		if i >= 0 {
			table = cfg.Plugins[i]
		} else if !p.Always {
			continue
		}
		s := &lua.Settings{
			Values: table.Values, Dir: filepath.Dir(cfg.File), Hosts: cfg.Hosts, Log: slog.Default(),
			Sizes: config.ParseSize, Durations: config.ParseDuration,
		}
		modules = append(modules, p.New(s))
		for _, found := range s.Problems() {
			place, ok := table.Places[found.Key]
			if !ok {
				place = table.Places[""]
			}
			problem := control.Problem(place)
			problem.Text = "plugins." + p.Name + ": " + found.Text
			wrong = append(wrong, problem)
		}
	}
	if len(wrong) > 0 {
		return nil, wrong
	}
	return modules, nil
}

func pluginNames() string {
	var names []string
	for _, p := range plugins {
		names = append(names, p.Name)
	}
	return strings.Join(names, ", ")
}

// samePlugins tells whether two versions of the settings lead to the same modules.
func samePlugins(a, b *config.Config) bool {
	return a.File == b.File && slices.Equal(a.Hosts, b.Hosts) && slices.EqualFunc(a.Plugins, b.Plugins, func(a, b config.Plugin) bool {
		return a.Name == b.Name && reflect.DeepEqual(a.Values, b.Values)
	})
}
