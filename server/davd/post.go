package davd

import "net/http"

// answerPost answers POST: the first of the parts that takes the request does.
func answerPost(r *request, n *node) error {
	for _, p := range r.posts {
		if p.kinds&n.kind != 0 && p.takes(r.Request) {
			return p.run(r, n)
		}
	}
	return &failure{status: http.StatusUnsupportedMediaType, text: "There is no POST of such a body here"}
}
