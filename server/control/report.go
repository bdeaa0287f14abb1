package control

import (
	"net/http"
	"net/url"
	"strconv"

	"facteur/server/report"
)

// maxDays bounds the days of a report.
const maxDays = 100

// serveReport answers with what is known of the last days.
func serveReport(b Backend) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		days, err := strconv.Atoi(r.URL.Query().Get("days"))
		if err != nil || days < 1 || days > maxDays {
			http.Error(w, "not a number of days", http.StatusBadRequest)
			return
		}
		d, err := b.Report(r.Context(), days)
		if err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		answer(w, d)
	}
}

// Report asks what is known of the last days, at most 100.
func (c *Client) Report(days int) (*report.Digest, error) {
	d := new(report.Digest)
	return d, c.call(http.MethodGet, "/report?"+url.Values{"days": {strconv.Itoa(days)}}.Encode(), d)
}
