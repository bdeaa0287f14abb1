package davd

import (
	"errors"
	"io"
	"net/http"

	"facteur/server/collection"
	"facteur/server/files"
)

// getFile answers GET and HEAD of a file, whole or in part, as the conditions of the request
// say (RFC 9110 13, 14).
func getFile(r *request, n *node) error {
	f, info, err := n.plain.tree.Open(n.plain.at)
	if err != nil {
		return plainFailure(err)
	}
	defer f.Close()
	head := r.w.Header()
	head.Set("ETag", string(info.ETag))
	head.Set("Content-Type", fileType(n.name))
	// What somebody put there may be a page with scripts: it gets no rights here.
	head.Set("Content-Security-Policy", "default-src 'none'; sandbox")
	http.ServeContent(r.w, r.Request, "", info.Modified, f)
	return nil
}

// putFile answers PUT of a file (RFC 4918 9.7.1).
func putFile(r *request, n *node) error {
	if r.Header.Get("Content-Range") != "" { // RFC 9110 14.5
		return badRequest("A part of a file can't be put")
	}
	info, created, err := n.plain.tree.Put(n.plain.at, bodyReader{r.Body}, files.PutOptions{Size: r.ContentLength, Check: r.checkFile()})
	if err != nil {
		return plainFailure(err)
	}
	r.w.Header().Set("ETag", string(info.ETag))
	r.done(created)
	return nil
}

// done answers a change: 201 when something was made, else 204.
func (r *request) done(created bool) {
	if created {
		r.w.Header().Set("Content-Length", "0")
		r.w.WriteHeader(http.StatusCreated)
		return
	}
	r.w.WriteHeader(http.StatusNoContent)
}

// bodyReader gives the errors of a body their answer.
type bodyReader struct{ r io.Reader }

func (b bodyReader) Read(p []byte) (int, error) {
	n, err := b.r.Read(p)
	if err != nil && err != io.EOF {
		err = bodyFailure(err)
	}
	return n, err
}

// checkFile is what If-Match and If-None-Match ask of a file (RFC 9110 13.1).
func (r *request) checkFile() files.Check {
	c, err := condition(r.Header)
	return func(now *files.Info) error {
		if err != nil {
			return err
		}
		var tag collection.ETag
		if now != nil {
			tag = collection.ETag(now.ETag)
		}
		if !holds(c, tag, now != nil) {
			return collection.ErrCondition
		}
		return nil
	}
}

// makeFolder answers MKCOL of a plain folder (RFC 4918 9.3). A body would say what else it
// should be, which it can't (RFC 5689 is for what is directly in a home).
func makeFolder(r *request, n *node) error {
	if _, err := io.ReadFull(r.Body, make([]byte, 1)); err == nil {
		return &failure{status: http.StatusUnsupportedMediaType, text: "A plain folder is made without a body"}
	}
	err := n.plain.tree.Mkdir(n.plain.at, nil, nil)
	if errors.Is(err, files.ErrExists) {
		return r.notAllowed(folderNode)
	}
	if err != nil {
		return plainFailure(err)
	}
	r.done(true)
	return nil
}

// deletePlain answers DELETE of a file, or of a folder with all that is in it (RFC 4918 9.6).
func deletePlain(r *request, n *node) error {
	if d, err := depth(r.Request, -1); err != nil || d >= 0 && n.kind == folderNode { // RFC 4918 9.6.1
		return badRequest("A folder is deleted with Depth infinity")
	}
	if err := n.plain.tree.Remove(n.plain.at, r.checkFile()); err != nil {
		return plainFailure(err)
	}
	r.locks.drop(lockKey(n), true, nil) // RFC 4918 9.6
	r.done(false)
	return nil
}
