package lua

import (
	lua "github.com/yuin/gopher-lua"

	"facteur/server/hook"
)

// clientKind is c.
var clientKind = kind{
	name: "c",
	fields: map[string]field{
		"ip": func(s *state) lua.LValue {
			if !s.call.Client.IP.IsValid() {
				return lua.LString("")
			}
			return s.text(s.call.Client.IP.String())
		},
		"rdns":     func(s *state) lua.LValue { return s.data(s.call.Client.RDNS) },
		"helo":     func(s *state) lua.LValue { return s.data(s.call.Client.Helo) },
		"tls":      clientTLS,
		"user":     func(s *state) lua.LValue { return s.data(s.call.Client.User) },
		"listener": func(s *state) lua.LValue { return s.data(s.call.Client.Listener) },
		"id":       func(s *state) lua.LValue { return s.data(s.call.Client.ID) },
	},
}

// clientTLS is c.tls: nil without TLS.
func clientTLS(s *state) lua.LValue {
	if s.call.Client.TLSVersion == "" {
		return lua.LNil
	}
	return s.objects.parts[tlsKind.name].value
}

// tlsKind is c.tls.
var tlsKind = kind{
	name: "c.tls",
	fields: map[string]field{
		"version": func(s *state) lua.LValue { return s.data(s.call.Client.TLSVersion) },
		"cipher":  func(s *state) lua.LValue { return s.data(s.call.Client.TLSCipher) },
	},
}

// loginKind is a.
var loginKind = kind{
	name: "a",
	fields: map[string]field{
		"account":   func(s *state) lua.LValue { return s.data(s.call.Login.Account.String()) },
		"device":    func(s *state) lua.LValue { return s.data(s.call.Login.Device) },
		"mechanism": func(s *state) lua.LValue { return s.data(s.call.Login.Mechanism) },
	},
}

// recipientKind is r.
var recipientKind = kind{
	name: "r",
	fields: map[string]field{
		"address":  func(s *state) lua.LValue { return s.data(s.call.Recipient.Address.String()) },
		"original": func(s *state) lua.LValue { return s.data(s.call.Recipient.Original.String()) },
		"detail":   func(s *state) lua.LValue { return s.data(s.call.Recipient.Detail) },
		"path":     func(s *state) lua.LValue { return s.list(s.call.Recipient.Path) },
	},
}

// fateKind is result.
var fateKind = kind{
	name: "result",
	fields: map[string]field{
		"recipient": func(s *state) lua.LValue { return s.data(s.call.Fate.Recipient.String()) },
		"code":      func(s *state) lua.LValue { return lua.LNumber(s.call.Fate.Code) },
		"status":    func(s *state) lua.LValue { return s.data(s.call.Fate.Status) },
		"text":      func(s *state) lua.LValue { return s.data(s.call.Fate.Text) },
		"server":    func(s *state) lua.LValue { return s.data(s.call.Fate.Server) },
		"attempts":  func(s *state) lua.LValue { return lua.LNumber(s.call.Fate.Attempts) },
		"next":      func(s *state) lua.LValue { return seconds(s.call.Fate.Next) },
	},
}

// destinations reads what the function of the stage Resolve returned: an
// address, an array of them, or nothing.
func (s *state) destinations(v lua.LValue) ([]string, error) {
	fail := func(format string, args ...any) ([]string, error) {
		return nil, &Error{Script: s.script.name, Text: string(hook.Resolve) + " returned " + sprintf(format, args...)}
	}
	var items []lua.LValue
	switch v := v.(type) {
	case *lua.LNilType:
		return nil, nil
	case lua.LString:
		items = []lua.LValue{v}
	case *lua.LTable:
		if v.Len() > maxDestinations {
			return fail("more than %d addresses", maxDestinations)
		}
		for i := 1; i <= v.Len(); i++ {
			items = append(items, v.RawGetInt(i))
		}
		if key, _ := v.Next(lua.LNil); key != lua.LNil && len(items) == 0 {
			return fail("a table that is no array of addresses")
		}
	default:
		return fail("a %s; it may return an address, an array of addresses, or nothing", typeName(v))
	}
	var list []string
	for _, item := range items {
		str, ok := item.(lua.LString)
		if !ok {
			return fail("a %s among the addresses", typeName(item))
		}
		a, err := parseAddress(string(str))
		if err != nil {
			return fail("%s: %s", quote(string(str), 100), err.Error())
		}
		list = append(list, a.String())
	}
	return list, nil
}

// maxDestinations is how many addresses the stage Resolve may lead to.
const maxDestinations = 100
