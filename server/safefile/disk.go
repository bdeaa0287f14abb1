package safefile

import (
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"time"
)

// disk is the model of a file system behind Recorder: what programs see, and
// what a power cut leaves of it. The root is inode 0.
type disk struct {
	nodes []*node
	moves []move // renames between directories, not durable yet, in order
}

// node is a file (entries nil) or a directory.
type node struct {
	entries, durable map[string]int // name to inode
	data             []byte
	time             time.Time
	durableData      []byte
	durableTime      time.Time
}

// move is a rename from one directory to another.
type move struct {
	ino, from, to    int
	fromName, toName string
}

func newDisk() *disk { return &disk{nodes: []*node{newDirNode()}} }

func newDirNode() *node {
	return &node{entries: make(map[string]int), durable: make(map[string]int)}
}

// lookup returns the inode at a path.
func (d *disk) lookup(path string) (int, error) {
	if path == "." {
		return 0, nil
	}
	dir, name, err := d.parent(path)
	if err != nil {
		return 0, err
	}
	ino, ok := d.nodes[dir].entries[name]
	if !ok {
		return 0, &fs.PathError{Op: "lookup", Path: path, Err: fs.ErrNotExist}
	}
	return ino, nil
}

func (d *disk) parent(path string) (dir int, name string, err error) {
	dir, err = d.lookup(filepath.Dir(path))
	if err == nil && d.nodes[dir].entries == nil {
		err = fmt.Errorf("%s is below a file", path)
	}
	return dir, filepath.Base(path), err
}

// apply carries out a step; ino is that of the file that it opens.
func (d *disk) apply(s step) (ino int, err error) {
	switch s.Kind {
	case "write":
		n := d.nodes[s.ino]
		n.data = append(slices.Clip(n.data), s.data...)
		n.time = s.time
		return s.ino, nil
	case "sync":
		n := d.nodes[s.ino]
		n.durableData, n.durableTime = n.data, n.time
		return s.ino, nil
	case "temp":
		return d.add(&node{time: s.time, durableTime: s.time}), nil
	case "chtimes":
		ino = s.ino
		if !s.unnamed {
			ino, err = d.lookup(s.Path)
		}
		if err == nil {
			d.nodes[ino].time = s.time
		}
		return ino, err
	case "syncdir":
		if ino, err = d.lookup(s.Path); err == nil {
			d.syncDir(ino)
		}
		return ino, err
	}
	return d.applyName(s)
}

// applyName carries out a step that changes the entries of directories.
func (d *disk) applyName(s step) (ino int, err error) {
	var dir int
	var name string
	if !s.unnamed {
		if dir, name, err = d.parent(s.Path); err != nil {
			return 0, err
		}
	}
	entries := d.nodes[dir].entries
	old, there := entries[name]
	switch {
	case s.unnamed:
		old = s.ino
	case s.Kind == "append" && there:
		return old, nil
	case s.Kind == "append", s.Kind == "create":
		entries[name] = d.add(&node{time: s.time, durableTime: s.time})
		return entries[name], nil
	case s.Kind == "mkdir":
		entries[name] = d.add(newDirNode())
		return entries[name], nil
	case s.Kind == "remove":
		delete(entries, name)
		return 0, nil
	}
	to, toName, err := d.parent(s.To)
	if err != nil {
		return 0, err
	}
	if s.Kind == "rename" {
		delete(entries, name)
		if to != dir {
			d.moves = append(d.moves, move{ino: old, from: dir, to: to, fromName: name, toName: toName})
		}
	}
	d.nodes[to].entries[toName] = old
	return 0, nil
}

func (d *disk) add(n *node) (ino int) {
	d.nodes = append(d.nodes, n)
	return len(d.nodes) - 1
}

// syncDir makes a directory durable, and with it the other half of every
// rename from or to it, after the earlier renames of the same file.
func (d *disk) syncDir(dir int) {
	var inodes []int
	for _, m := range d.moves {
		if m.from == dir || m.to == dir {
			inodes = append(inodes, m.ino)
		}
	}
	rest := d.moves[:0:0]
	for _, m := range d.moves {
		if !slices.Contains(inodes, m.ino) {
			rest = append(rest, m)
			continue
		}
		if from := d.nodes[m.from].durable; from[m.fromName] == m.ino {
			delete(from, m.fromName)
		}
		d.nodes[m.to].durable[m.toName] = m.ino
	}
	d.moves = rest
	d.nodes[dir].durable = maps.Clone(d.nodes[dir].entries)
}

// writeOut makes durable what written says.
func (d *disk) writeOut(written func(path string) bool) {
	var walk func(path string, ino int)
	walk = func(path string, ino int) {
		n := d.nodes[ino]
		if n.entries == nil {
			if written(path) {
				n.durableData, n.durableTime = n.data, n.time
			}
			return
		}
		if written(path) {
			d.syncDir(ino)
		}
		for _, name := range slices.Sorted(maps.Keys(n.entries)) {
			walk(filepath.Join(path, name), n.entries[name])
		}
	}
	walk(".", 0)
}

// materialise makes the durable state in root.
func (d *disk) materialise(root string) error {
	first := make(map[int]string) // path of a file that was made
	var walk func(path string, ino int) error
	walk = func(path string, ino int) error {
		for _, name := range slices.Sorted(maps.Keys(d.nodes[ino].durable)) {
			child, sub := d.nodes[ino].durable[name], filepath.Join(path, name)
			n := d.nodes[child]
			var err error
			switch {
			case n.entries != nil:
				if err = os.Mkdir(sub, 0o700); err == nil {
					err = walk(sub, child)
				}
			case first[child] != "":
				err = os.Link(first[child], sub)
			default:
				first[child] = sub
				if err = os.WriteFile(sub, n.durableData, 0o600); err == nil {
					err = os.Chtimes(sub, n.durableTime, n.durableTime)
				}
			}
			if err != nil {
				return err
			}
		}
		return nil
	}
	return walk(root, 0)
}
