package davd

import (
	"errors"
	"mime"
	"net/http"
	"path"
	"time"

	"facteur/server/davxml"
	"facteur/server/fault"
	"facteur/server/files"
	"facteur/server/homes"
)

// plainSegment is where the plain folders and files of a home are.
const plainSegment = "files"

// plainNode is what nodes of plain folders and files have beside the others.
type plainNode struct {
	tree *files.Tree
	at   files.Path
	info files.Info // zero: nothing is there
}

const plainNodes = folderNode | fileNode

// plain is plain folders and files (RFC 4918 5.2), below files/ in each home.
func plain() part {
	return part{
		segments: map[string]segment{plainSegment: {open: openPlain, list: true}},
		methods: map[string]method{
			"GET":       {kinds: fileNode, needs: mayRead, run: getFile},
			"HEAD":      {kinds: fileNode, needs: mayRead, run: getFile},
			"PUT":       {kinds: fileNode, absent: fileNode, needs: mayWriteContent, makes: mayBind, run: putFile},
			"DELETE":    {kinds: plainNodes, needs: mayUnbind, run: deletePlain},
			"PROPPATCH": {kinds: plainNodes, needs: mayWriteProperties, run: proppatch},
			"MKCOL":     {absent: fileNode, makes: mayBind, run: makeFolder},
		},
		properties: []property{
			{name: davxml.D("getetag"), kinds: fileNode, all: true, write: func(_ *request, n *node, w *davxml.Writer) { w.Text(string(n.plain.info.ETag)) }},
			{name: davxml.D("getcontentlength"), kinds: fileNode, all: true, write: func(r *request, n *node, w *davxml.Writer) { r.number(w, n.plain.info.Size) }},
			{name: davxml.D("getcontenttype"), kinds: fileNode, all: true, write: func(_ *request, n *node, w *davxml.Writer) { w.Text(fileType(n.name)) }},
			{name: davxml.D("getlastmodified"), kinds: plainNodes, all: true, write: func(r *request, n *node, w *davxml.Writer) {
				w.Text(n.plain.info.Modified.UTC().Format(http.TimeFormat))
			}},
			{name: davxml.D("creationdate"), kinds: plainNodes, all: true, write: func(r *request, n *node, w *davxml.Writer) {
				w.Text(n.plain.info.Modified.UTC().Format(time.RFC3339)) // nothing older is known
			}},
		},
	}
}

// plainPrivileges are those of the viewer: who may write in the home may do all with what is
// below its files.
func plainPrivileges(n *node) privilege {
	p := collectionPrivileges(n.rights) &^ (mayReadFreeBusy | mayWriteACL | mayWriteProperties)
	if n.rights.Has(homes.Write) {
		p |= mayWriteProperties
	}
	if n.rights.Has(homes.Administer) {
		p |= mayUnlock
	}
	if n.kind == fileNode {
		p &^= mayBind | mayUnbind
	}
	return p
}

// openPlain returns what a path below files/ leads to.
func openPlain(r *request, home *node, rest []string) (*node, error) {
	if !home.rights.Has(homes.Read) {
		return nil, errNotFound
	}
	tree, err := r.opt.Files.Tree(home.owner)
	if err != nil {
		return nil, err
	}
	n := &node{kind: folderNode, href: home.href + plainSegment + "/", name: plainSegment, owner: home.owner, home: home.home,
		rights: home.rights, parent: home, plain: &plainNode{tree: tree}}
	if n.plain.info, err = tree.Stat(nil); err != nil {
		return nil, err
	}
	for i := range rest {
		if n, err = n.plainChild(rest[:i+1]); err != nil {
			return nil, err
		}
		if i+1 < len(rest) && n.kind != folderNode || n.absent && i+1 < len(rest) {
			return nil, errConflict(r.Method)
		}
	}
	return n, nil
}

// plainChild returns what has a path in a folder, absent when nothing is there.
func (n *node) plainChild(at files.Path) (*node, error) {
	info, err := n.plain.tree.Stat(at)
	if fault.Is(err, fault.NotFound) {
		c := n.plainOf(files.Info{Name: at[len(at)-1]}, at)
		c.absent = true
		return c, nil
	}
	if err != nil {
		return nil, err
	}
	return n.plainOf(info, at), nil
}

// plainOf returns the node of something in a folder.
func (n *node) plainOf(info files.Info, at files.Path) *node {
	c := &node{kind: fileNode, href: n.href + string(appendSegment(nil, info.Name)), name: info.Name, owner: n.owner, home: n.home,
		rights: n.rights, parent: n, plain: &plainNode{tree: n.plain.tree, at: at, info: info}}
	if info.Folder {
		c.kind = folderNode
		c.href += "/"
	}
	return c
}

// plainChildren calls do for what is in a folder.
func (n *node) plainChildren(do func(*node) error) error {
	list, err := n.plain.tree.List(n.plain.at)
	if fault.Is(err, fault.NotFound) {
		return nil // gone meanwhile
	}
	if err != nil {
		return err
	}
	for _, info := range list {
		at := append(n.plain.at[:len(n.plain.at):len(n.plain.at)], info.Name)
		if err := do(n.plainOf(info, at)); err != nil {
			return err
		}
	}
	return nil
}

// fileType is the media type of a file, by its name.
func fileType(name string) string {
	if t := mime.TypeByExtension(path.Ext(name)); t != "" {
		return t
	}
	return "application/octet-stream"
}

// plainFailure gives the errors of package files their answers (RFC 4918 9).
func plainFailure(err error) error {
	switch {
	case errors.Is(err, files.ErrParent):
		return &failure{status: http.StatusConflict, text: "The folder that this would be in is not there"}
	case errors.Is(err, files.ErrFolder):
		return &failure{status: http.StatusMethodNotAllowed, text: "It is a folder"}
	case errors.Is(err, files.ErrExists):
		return &failure{status: http.StatusPreconditionFailed, text: "Something is there, and Overwrite is F"}
	case errors.Is(err, files.ErrSame):
		return &failure{status: http.StatusForbidden, text: "Source and destination are the same, or one is in the other"}
	}
	return err
}
