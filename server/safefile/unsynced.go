package safefile

// Unsynced is an FS for tests whose syncs do nothing, for what need not be
// durable. It is all that is left out: order and errors are those of FS.
type Unsynced struct{ FS }

// SyncDir does nothing.
func (Unsynced) SyncDir(string) error { return nil }

// Create is that of FS.
func (u Unsynced) Create(path string) (File, error) {
	f, err := u.FS.Create(path)
	if err != nil {
		return nil, err
	}
	return unsyncedFile{f}, nil
}

// Temp is that of FS.
func (u Unsynced) Temp(dir string) (TempFile, error) {
	f, err := u.FS.Temp(dir)
	if err != nil {
		return nil, err
	}
	return unsyncedTemp{f}, nil
}

type unsyncedFile struct{ File }

func (unsyncedFile) Sync() error { return nil }

type unsyncedTemp struct{ TempFile }

func (unsyncedTemp) Sync() error { return nil }

func (u Unsynced) openDir(path string) int {
	if o, ok := u.FS.(dirOpener); ok {
		return o.openDir(path)
	}
	return noFD
}
