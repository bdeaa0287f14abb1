package imapd

import "facteur/server/imapwire"

// selection is what a session knows of its selected mailbox, and the messages
// that it was given and that are in no mailbox yet.
type selection struct {
	sel   *selected       // nil: no mailbox is selected
	saved imapwire.NumSet // UIDs that "$" stands for (RFC 5182 2.1), resolved

	pending []*appending  // APPENDs whose reply waits for settle
	syncing chan struct{} // has room for each file that may be synced at once
	copying []byte        // a literal goes through it; nil when nothing waits
}

// messageCommands are the commands on messages, and those that select a mailbox.
func messageCommands() map[string]command {
	return map[string]command{
		"SELECT":   {states: loggedIn, run: (*session).cmdSelect},
		"EXAMINE":  {states: loggedIn, run: (*session).cmdSelect},
		"CLOSE":    {states: inMailbox, run: (*session).cmdClose},
		"UNSELECT": {states: inMailbox, run: (*session).cmdUnselect},
		"CHECK":    {states: inMailbox, run: (*session).cmdCheck},
		"EXPUNGE":  {states: inMailbox, run: (*session).cmdExpunge, uid: true},
		"FETCH":    {states: inMailbox, run: (*session).cmdFetch, uid: true, keepsNumbers: true},
		"STORE":    {states: inMailbox, run: (*session).cmdStore, uid: true, keepsNumbers: true},
		"COPY":     {states: inMailbox, run: (*session).cmdCopy, uid: true},
		"MOVE":     {states: inMailbox, run: (*session).cmdMove, uid: true},
		"APPEND":   {states: loggedIn, run: (*session).cmdAppend, grouped: true},
		"SEARCH":   {states: inMailbox, run: (*session).cmdSearch, uid: true, keepsNumbers: true},
		"SORT":     {states: inMailbox, run: (*session).cmdSort, uid: true, keepsNumbers: true},
		"THREAD":   {states: inMailbox, run: (*session).cmdThread, uid: true, keepsNumbers: true},
		"ESEARCH":  {states: loggedIn, run: (*session).cmdMultiSearch, keepsNumbers: true},
		"REPLACE":  {states: inMailbox, run: (*session).cmdReplace, uid: true},
	}
}

// messageCapabilities are the extensions that those commands make.
var messageCapabilities = []capability{
	{name: "UNSELECT", states: loggedIn},                     // RFC 3691
	{name: "UIDPLUS", states: loggedIn},                      // RFC 4315
	{name: "MOVE", states: loggedIn},                         // RFC 6851
	{name: "CONDSTORE", states: loggedIn, enable: condstore}, // RFC 7162
	{name: "QRESYNC", states: loggedIn, enable: qresync},
	{name: "BINARY", states: loggedIn},                   // RFC 3516
	{name: "MULTIAPPEND", states: loggedIn},              // RFC 3502
	{name: "CATENATE", states: loggedIn},                 // RFC 4469
	{name: "REPLACE", states: loggedIn},                  // RFC 8508
	{name: "SAVEDATE", states: loggedIn},                 // RFC 8514
	{name: "PREVIEW", states: loggedIn},                  // RFC 8970
	{name: "UIDONLY", states: loggedIn, enable: uidOnly}, // RFC 9586
	{name: "PARTIAL", states: loggedIn},                  // RFC 9394
	{name: "OBJECTID", states: loggedIn},                 // RFC 8474
	{name: "ESEARCH", states: loggedIn},                  // RFC 4731
	{name: "SEARCHRES", states: loggedIn},                // RFC 5182
	{name: "WITHIN", states: loggedIn},                   // RFC 5032
	{name: "SORT", states: loggedIn},                     // RFC 5256
	{name: "SORT=DISPLAY", states: loggedIn},             // RFC 5957
	{name: "ESORT", states: loggedIn},                    // RFC 5267
	{name: "THREAD=ORDEREDSUBJECT", states: loggedIn},    // RFC 5256
	{name: "THREAD=REFERENCES", states: loggedIn},
	{name: "MULTISEARCH", states: loggedIn},                     // RFC 7377
	{name: "INPROGRESS", states: loggedIn},                      // RFC 9585
	{name: "APPENDLIMIT", states: loggedIn, value: appendLimit}, // RFC 7889
}

// news receives when tell has something to say, nil: never.
func (s *session) news() <-chan struct{} {
	if s.sel == nil {
		return nil
	}
	return s.sel.watch.C
}
