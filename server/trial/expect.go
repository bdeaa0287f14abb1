package trial

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"facteur/server/address"
	"facteur/server/config"
	"facteur/server/hook"
)

// ran is one run of the script that is tested.
type ran struct {
	script  string
	stage   hook.Stage
	outcome hook.Outcome
	metrics map[string]float64
	now     time.Time
}

// expectations are the methods of expect(...). Those of kindsOf have the name of
// the action; a check returns "" when it is as expected, else what was expected.
var expectations = map[string]func(*ran, []any) string{
	"nothing":  wantNothing,
	"no":       wantNo,
	"count":    wantCount,
	"kept":     wantKept,
	"filed":    wantFiled,
	"gone":     wantGone,
	"flagged":  wantFlagged,
	"total":    wantTotal,
	"resolved": wantResolved,
	"logged":   wantLogged,
	"metric":   wantMetric,
	"failed":   wantFailed,
}

// kinds are all actions.
func kinds() []hook.Kind {
	var list []hook.Kind
	for _, allowed := range hook.Allowed {
		for _, k := range allowed {
			if !slices.Contains(list, k) {
				list = append(list, k)
			}
		}
	}
	slices.Sort(list)
	return list
}

// check compares a run with an expectation. It returns what is wrong, or "".
func (r *ran) check(name string, args []any) string {
	want := ""
	if test, ok := expectations[name]; ok {
		want = test(r, args)
	} else {
		want = wantAction(r, hook.Kind(name), args)
	}
	if want == "" && (r.outcome.Err == nil || name == "failed" || name == "logged") {
		return ""
	}
	if want == "" {
		want = name
	}
	return fmt.Sprintf("expected %s, but %s", want, r.did())
}

// did says what the script did.
func (r *ran) did() string {
	if r.outcome.Err != nil {
		return "the script failed: " + r.outcome.Err.Error()
	}
	var list []string
	for _, a := range r.outcome.Actions {
		list = append(list, fmt.Sprintf("%s (line %d)", a, a.Line))
	}
	if len(r.outcome.Destinations) > 0 {
		list = append(list, "returned "+strings.Join(r.outcome.Destinations, ", "))
	}
	if len(list) == 0 {
		return r.script + " did nothing at " + string(r.stage)
	}
	return r.script + " did: " + strings.Join(list, "; ")
}

func wantNothing(r *ran, _ []any) string {
	if len(r.outcome.Actions)+len(r.outcome.Destinations) > 0 {
		return "nothing"
	}
	return ""
}

func wantNo(r *ran, args []any) string {
	kind, _ := first(args).(string)
	if !slices.Contains(kinds(), hook.Kind(kind)) {
		return fmt.Sprintf("no(...) of an action; %q is none", kind)
	}
	for _, a := range r.outcome.Actions {
		if string(a.Kind) == kind {
			return "no " + kind
		}
	}
	return ""
}

func wantCount(r *ran, args []any) string {
	if n, ok := first(args).(float64); !ok || int(n) != len(r.outcome.Actions) {
		return say(first(args)) + " actions"
	}
	return ""
}

func (r *ran) place() Place { return PlaceOf(r.outcome.Actions, Inbox) }

func wantKept(r *ran, _ []any) string {
	if !slices.Contains(r.place().Folders, Inbox) {
		return "the message in INBOX"
	}
	return ""
}

func wantFiled(r *ran, args []any) string {
	folder, _ := first(args).(string)
	if !slices.Contains(r.place().Folders, folder) {
		return "the message in " + say(folder)
	}
	return ""
}

func wantGone(r *ran, _ []any) string {
	if p := r.place(); len(p.Folders) > 0 || p.Snoozed {
		return "the message in no folder"
	}
	return ""
}

func wantFlagged(r *ran, args []any) string {
	p := r.place()
	for _, flag := range flatten(args) {
		for _, folder := range p.Folders {
			if !containsFlag(p.Added[folder], flag) {
				return "the message in " + folder + " with " + flag
			}
		}
	}
	if len(p.Folders) == 0 {
		return "a message with flags"
	}
	return ""
}

func wantTotal(r *ran, args []any) string {
	sum := 0.0
	for _, a := range r.outcome.Actions {
		if a.Kind == hook.Score {
			sum += a.Points
		}
	}
	if want, ok := first(args).(float64); !ok || !near(sum, want) {
		return fmt.Sprintf("a score of %s in all (it is %g)", say(first(args)), sum)
	}
	return ""
}

func wantResolved(r *ran, args []any) string {
	want, got := flatten(args), r.outcome.Destinations
	if len(want) != len(got) || slices.ContainsFunc(want, func(w string) bool {
		return !slices.ContainsFunc(got, func(g string) bool { return strings.EqualFold(g, w) })
	}) {
		return "destinations " + strings.Join(want, ", ")
	}
	return ""
}

func wantLogged(r *ran, args []any) string {
	text, _ := first(args).(string)
	for _, l := range r.outcome.Trace {
		if strings.Contains(l.Text, text) {
			return ""
		}
	}
	return "a log line with " + say(text)
}

func wantMetric(r *ran, args []any) string {
	name, _ := first(args).(string)
	got, ok := r.metrics[name]
	if len(args) > 1 {
		want, isNumber := args[1].(float64)
		ok = ok && isNumber && near(got, want)
	}
	if !ok {
		return fmt.Sprintf("the metric %s to grow by %s (it grew by %g)", name, say(second(args)), got)
	}
	return ""
}

func wantFailed(r *ran, args []any) string {
	text, _ := first(args).(string)
	if r.outcome.Err == nil || !strings.Contains(r.outcome.Err.Error(), text) {
		return "the script to fail with " + say(text)
	}
	return ""
}

// wantAction looks for an action of a kind that the arguments describe.
func wantAction(r *ran, kind hook.Kind, args []any) string {
	for _, a := range r.outcome.Actions {
		if a.Kind == kind && r.matches(a, args) {
			return ""
		}
	}
	var said []string
	for _, arg := range args {
		said = append(said, say(arg))
	}
	return fmt.Sprintf("%s(%s)", kind, strings.Join(said, ", "))
}

// matches compares an action with the arguments of an expectation: those that are
// not there are not looked at.
func (r *ran) matches(a hook.Action, args []any) bool {
	switch a.Kind {
	case hook.Reject, hook.Tempfail:
		return all(args, func(v any) bool { return sameRefusal(a, v) })
	case hook.Score:
		return all(args, func(v any) bool {
			points, isNumber := v.(float64)
			return isNumber && near(points, a.Points) || v == a.Rule
		})
	case hook.Flag, hook.Unflag:
		return sameFlags(a.Flags, args)
	case hook.Delay, hook.Greylist:
		return all(args, func(v any) bool { return seconds(v) == a.For })
	case hook.Snooze:
		return all(args, func(v any) bool {
			until, err := timeOf(v, r.now.Location())
			return err == nil && until.Equal(a.Until)
		})
	case hook.Redirect, hook.Rewrite, hook.AddRcpt:
		return all(args, func(v any) bool { return sameAddress(a.Address, v) || sameOptions(a, v) })
	case hook.Vacation, hook.Reply, hook.Notify:
		return all(args, func(v any) bool { return sameWords(a, v) })
	case hook.AddHeader, hook.RemoveHeader:
		name, _ := first(args).(string)
		value, _ := second(args).(string)
		return (len(args) == 0 || strings.EqualFold(name, a.Name)) && strings.Contains(a.Value, value)
	case hook.Expire:
		return (len(args) == 0 || args[0] == a.Folder) && (len(args) < 2 || seconds(args[1]) == a.For)
	case hook.FileInto:
		return (len(args) == 0 || args[0] == a.Folder) && all(args[min(1, len(args)):], func(v any) bool { return sameOptions(a, v) })
	case hook.Keep:
		return all(args, func(v any) bool { return sameOptions(a, v) })
	case hook.Route:
		return all(args, func(v any) bool { return v == a.Relay })
	}
	return all(args, func(v any) bool {
		text, ok := v.(string)
		return ok && strings.Contains(a.Text, text)
	})
}

func all(args []any, same func(any) bool) bool {
	return !slices.ContainsFunc(args, func(v any) bool { return !same(v) })
}

func first(args []any) any { return second(append([]any{nil}, args...)) }

func second(args []any) any {
	if len(args) < 2 {
		return nil
	}
	return args[1]
}

func near(a, b float64) bool { return a-b < 1e-9 && b-a < 1e-9 }

// sameRefusal compares with a reply code, an enhanced code, or words of the text.
func sameRefusal(a hook.Action, v any) bool {
	if a.Fault == nil { // at delivery
		text, ok := v.(string)
		return ok && strings.Contains(a.Text, text)
	}
	switch v := v.(type) {
	case float64:
		return int(v) == a.Fault.Code
	case string:
		return v == a.Fault.Enhanced() || strings.Contains(a.Fault.Text, v)
	}
	return false
}

func sameAddress(a address.Address, v any) bool {
	text, _ := v.(string)
	b, err := address.Parse(text)
	return err == nil && a.Key() == b.Key()
}

func sameFlags(have []string, args []any) bool {
	return !slices.ContainsFunc(flatten(args), func(f string) bool { return !containsFlag(have, f) })
}

// sameOptions compares the options create, copy and flags.
func sameOptions(a hook.Action, v any) bool {
	options, ok := v.(map[string]any)
	if !ok {
		return false
	}
	for key, want := range options {
		switch key {
		case "create":
			ok = want == a.Create
		case "copy":
			ok = want == a.Copy
		case "flags":
			ok = sameFlags(a.Flags, []any{want})
		default:
			ok = false
		}
		if !ok {
			return false
		}
	}
	return true
}

// sameWords compares what a reply or a notification says: words of it, or a table
// of its parts.
func sameWords(a hook.Action, v any) bool {
	parts := map[string]string{"text": a.Text}
	if n := a.Notice; n != nil {
		parts = map[string]string{"to": n.To.String(), "subject": n.Subject, "text": n.Text}
	}
	if r := a.Reply; r != nil {
		parts = map[string]string{
			"text": r.Text, "html": r.HTML, "subject": r.Subject, "from": r.From.String(), "handle": r.Handle,
			"days": strconv.Itoa(r.Days), "start": r.Start.String(), "stop": r.Stop.String(),
		}
	}
	if text, ok := v.(string); ok {
		return strings.Contains(parts["subject"]+"\n"+parts["text"]+"\n"+parts["html"], text)
	}
	options, ok := v.(map[string]any)
	for key, want := range options {
		have, there := parts[key]
		if !there || !strings.Contains(have, fmt.Sprint(want)) {
			return false
		}
	}
	return ok
}

// seconds is a time as actions take it: a number, or a text such as "2 days".
func seconds(v any) time.Duration {
	if text, ok := v.(string); ok {
		if d, err := config.ParseDuration(text); err == nil {
			return d
		}
	}
	n, ok := v.(float64)
	if !ok {
		return -1
	}
	return time.Duration(n * float64(time.Second))
}

// flatten returns the texts of arguments, which may be arrays.
func flatten(args []any) []string {
	var list []string
	for _, arg := range args {
		texts, _ := textsOf(arg)
		list = append(list, texts...)
	}
	return list
}

// say writes a value as Lua has it.
func say(v any) string {
	switch v := v.(type) {
	case nil:
		return "nil"
	case string:
		return strconv.Quote(v)
	case []any:
		var items []string
		for _, item := range v {
			items = append(items, say(item))
		}
		return "{" + strings.Join(items, ", ") + "}"
	case map[string]any:
		return sayTable(v)
	}
	return fmt.Sprint(v)
}
