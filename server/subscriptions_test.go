package server

import (
	"log/slog"
	"strings"
	"testing"
	"time"

	"facteur/server/address"
	"facteur/server/config"
	"facteur/server/homes"
)

// TestFailingNotice: in both languages there is for each reason why, and what to do.
func TestFailingNotice(t *testing.T) {
	reasons := []homes.Reason{homes.NotAllowed, homes.LeadsAway, homes.Gone, homes.Denied, homes.BadStatus, homes.NoCalendar, homes.TooLarge, homes.Certificate,
		homes.Unreachable, homes.NotKept}
	s := &Server{notices: make(chan notice, 1), log: slog.New(slog.DiscardHandler)}
	for language, words := range map[string]struct{ one, many, since string }{
		"en": {`The calendar "News" can't be fetched`, "10 calendars can't be fetched", "News, of cloud.example.net, since 2026-03-01 13:00 CET:\n"},
		"fr": {"L’agenda « News » ne peut plus être relevé", "10 agendas ne peuvent plus être relevés", "News, de cloud.example.net, depuis le 2026-03-01 13:00 CET :\n"},
	} {
		zone := time.FixedZone("CET", 3600)
		s.live.Store(&settings{Config: &config.Config{Language: language, Location: zone}})
		var all []homes.Failing
		for _, reason := range reasons {
			f := homes.Failing{
				Owner: address.MustParse("alice@example.org"), Collection: "news-1", DisplayName: "News", Host: "cloud.example.net",
				Since: time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC), Reason: reason, Detail: "THE DETAIL see https://evil.example/",
			}
			all = append(all, f)
			if !s.tellFailing([]homes.Failing{f}) {
				t.Fatal("it can't be told")
			}
			n := <-s.notices
			if n.subject != words.one || !strings.Contains(n.text, words.since) || n.to[0] != f.Owner || n.text != strings.ToValidUTF8(n.text, "") {
				t.Errorf("%s, %s: %q\n%s", language, reason, n.subject, n.text)
			}
			text := words.since + "\n"
			if _, rest, _ := strings.Cut(n.text, text); len(strings.Split(rest, "\n")) < 6 || strings.HasPrefix(rest, "  \n") {
				t.Errorf("%s, %s: it does not say why, and what to do:\n%s", language, reason, n.text)
			}
			for _, wrong := range []string{"%!", "HOST", "POSTMASTER", "https://"} {
				if strings.Contains(n.text, wrong) {
					t.Errorf("%s, %s: %q in\n%s", language, reason, wrong, n.text)
				}
			}
		}
		s.tellFailing(all)
		if s.tellFailing(all) {
			t.Error("a notice was told that can't be sent")
		}
		if n := <-s.notices; n.subject != words.many || strings.Count(n.text, words.since) != len(all) {
			t.Errorf("%s: %q\n%s", language, n.subject, n.text)
		}
	}
}
