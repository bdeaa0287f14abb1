package httpd

import (
	"net/http"
)

// page is what a person sees who comes with a browser.
func (s *Server) page(w http.ResponseWriter, r *http.Request) {
	http.NotFound(w, r)
}
