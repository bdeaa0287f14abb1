package srs

import (
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"facteur/server/safefile"
)

// keyFile is the name of the file that holds the key, in hexadecimal.
const keyFile = "srs.key"

const keyLen = 32

// loadKey returns the key. When there is none yet it is made, or nil.
func (r *Rewriter) loadKey(create bool) ([]byte, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.key != nil {
		return r.key, nil
	}
	path := filepath.Join(r.opts.Dir, keyFile)
	key, err := readKey(path)
	if errors.Is(err, fs.ErrNotExist) {
		if !create {
			return nil, nil
		}
		key, err = newKey(r.opts.FS, r.opts.Dir, path)
	}
	if err == nil {
		r.key = key
	}
	return key, err
}

func readKey(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, 1024))
	if err != nil {
		return nil, err
	}
	key, err := hex.DecodeString(strings.TrimSpace(string(data)))
	if err != nil || len(key) != keyLen {
		return nil, fmt.Errorf("%s holds no key; bring it back from a backup, or remove it, and bounces of what was forwarded before are refused", path)
	}
	return key, nil
}

// newKey makes a key and keeps it; it is durable before it is used.
func newKey(fsys safefile.FS, dir, path string) ([]byte, error) {
	key := make([]byte, keyLen)
	rand.Read(key) // never fails (crypto/rand)
	if err := safefile.MkdirAll(fsys, dir); err != nil {
		return nil, err
	}
	return key, safefile.WriteFile(fsys, path, []byte(hex.EncodeToString(key)+"\n"))
}
