package davd

func caldav() part  { return part{classes: []string{"calendar-access"}} }
func carddav() part { return part{classes: []string{"addressbook"}} }
func quota() part   { return part{} }
