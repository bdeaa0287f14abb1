package httpd

import (
	"net/http"
)

// page is what a person sees who comes with a browser.
func (s *Server) page(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		w.Header().Set("Allow", "GET, HEAD")
		http.Error(w, "This is a page to read.", http.StatusMethodNotAllowed)
		return
	}
	http.NotFound(w, r)
}
