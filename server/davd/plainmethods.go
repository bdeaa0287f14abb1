package davd

import (
	"errors"
	"io"
	"net/http"
	"time"

	"facteur/server/collection"
	"facteur/server/davxml"
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
	if err := r.checkEncoding(); err != nil {
		return err
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

// checkFile is what If-Match, If-None-Match and If-Unmodified-Since ask of a file (RFC 9110
// 13.1).
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
		since, err := http.ParseTime(r.Header.Get("If-Unmodified-Since"))
		if err == nil && now != nil && c.Match == nil && !c.Exists && now.Modified.Truncate(time.Second).After(since) {
			return collection.ErrCondition
		}
		return nil
	}
}

// makeFolder answers MKCOL of a plain folder (RFC 4918 9.3), with its properties if a body has
// some (RFC 5689).
func makeFolder(r *request, n *node) error {
	e, err := r.makingBody()
	if err != nil {
		return err
	}
	kept := collection.Props{Other: make(map[string]string)}
	if e != nil {
		if e.Name != davxml.D("mkcol") {
			return &failure{status: http.StatusUnsupportedMediaType, text: "The body of MKCOL is a mkcol"}
		}
		changes, err := parseChanges(e)
		if err != nil {
			return err
		}
		if !plainType(changes) {
			return forbidden(davxml.D("valid-resourcetype"), "Only plain folders can be made here")
		}
		n.kind = folderNode
		if err := r.changeNew(n, &kept, changes); errors.Is(err, errChanges) {
			return r.refuseMaking(n, changes, davxml.D("mkcol-response"))
		} else if err != nil {
			return err
		}
	}
	err = n.plain.tree.Mkdir(n.plain.at, kept.Other, nil)
	if errors.Is(err, files.ErrExists) {
		return r.notAllowed(folderNode)
	}
	if err != nil {
		return plainFailure(err)
	}
	r.done(true)
	return nil
}

// plainType says whether the DAV:resourcetype of what is to be made is that of a plain folder.
func plainType(changes []change) bool {
	for _, c := range changes {
		if c.name != davxml.D("resourcetype") || c.element == nil {
			continue
		}
		for _, t := range c.element.Children {
			if t.Name != davxml.D("collection") {
				return false
			}
		}
	}
	return true
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
