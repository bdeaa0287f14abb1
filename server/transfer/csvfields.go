package transfer

import (
	"regexp"
	"strings"
	"unicode"

	"golang.org/x/text/unicode/norm"
)

// field is what a column means: a property, which part of a structured one (N, ADR, ORG),
// and of what type.
type field struct {
	name string // "": as the text has it, in NOTE
	part int
	kind string // a TYPE: HOME, WORK ...
	// of gathers columns that make one property: of addresses, and with kind-of-value columns
	// of Google.
	of string
}

// ignored is a column that says nothing about a person, and unlessDefault one that says
// nothing where it has what programs write into all rows.
const (
	ignored       = "-"
	unlessDefault = "?"
)

// columns are the names of columns, without what folded takes away: of Outlook, Google
// and Thunderbird in English, then in French. Columns of addresses and what Google numbers
// are found by their form (address, numbered).
const columns = `
N.3       titleprefix nameprefix prefix civilite prefixedunom
N.1       firstname givenname prenom
N.2       middlename additionalname deuxiemeprenom
N.0       lastname familyname surname nom nomdefamille
N.4       suffix namesuffix suffixe suffixedunom
FN        displayname name fullname fileas nomaafficher nomcomplet nomaffiche
NICKNAME  nickname surnom
ORG.0     company organization organizationname organisation societe entreprise
ORG.1     department organizationdepartment service departement
TITLE     jobtitle organizationtitle fonction profession titreduposte poste intitule
ROLE      role
EMAIL     email emailaddress primaryemail mail adressedemessagerie adressedecourrier adressemail adresseelectronique premiereadresseelectronique courriel email1address
EMAIL     email2address email3address secondaryemail adressedemessagerie2 adressedemessagerie3 adressedecourrier2 adressedecourrier3 deuxiemeadresseelectronique secondeadresseelectronique adresseelectroniquesecondaire email2 email3 email4
TEL:WORK  businessphone businessphone2 workphone telephonebureau telephone2bureau telprofessionnel telephoneprofessionnel
TEL:HOME  homephone homephone2 telephonedomicile telephone2domicile telpersonnel telephonepersonnel teldomicile
TEL:CELL  mobilephone mobilenumber mobile cellphone telmobile telephonemobile portable telephoneportable
TEL:VOICE otherphone primaryphone phone radiophone telephoneautre telephoneprincipal telephone radiotelephone callback rappel
TEL:CAR   carphone telephonevoiture
TEL:PAGER pager pagernumber recepteurderadiomessagerie
TEL:ISDN  isdn rnis
TEL:FAX,WORK businessfax faxnumber telecopiebureau
TEL:FAX,HOME homefax telecopiedomicile
TEL:FAX   otherfax fax telecopieautre telecopie numerodefax
TEL:WORK  companymainphone telephonesociete telephoneprincipalsociete
URL       webpage website webpage1 pageweb siteweb pageweb1
URL:HOME  webpage2 pageweb2
URL:WORK  personalwebpage
BDAY      birthday anniversaire datedenaissance
X-ANNIVERSARY anniversary anniversairedemariageoufete
BDAY.1    birthyear anneedenaissance
BDAY.2    birthmonth moisdenaissance
BDAY.3    jourdenaissance
NOTE      notes note remarques commentaire commentaires
CATEGORIES categories labels groupmembership libelles
X-AIM     screenname pseudo nomalecran
X-SPOUSE  spouse conjoint conjointe
X-MANAGER managersname manager responsable
X-ASSISTANT assistantsname nomdelassistante
-         emailtype email2type email3type typedemessagerie typedemessagerie2 typedemessagerie3 typedecourrier typedecourrier2 typedecourrier3
-         emaildisplayname email2displayname email3displayname nomcompletdeladressedemessagerie nomcompletdeladressedemessagerie2 nomcompletdeladressedemessagerie3
-         initials initiales
?         private prive priority priorite sensitivity criterediffusion gender sexe
`

// columnTable reads columns.
func columnTable() map[string]field {
	table := make(map[string]field)
	for row := range strings.Lines(columns) {
		words := strings.Fields(row)
		if len(words) < 2 {
			continue
		}
		f := field{name: words[0]}
		f.name, f.kind, _ = strings.Cut(f.name, ":")
		if name, part, ok := strings.Cut(f.name, "."); ok {
			f.name, f.part = name, int(part[0]-'0')
		}
		for _, w := range words[1:] {
			table[w] = f
		}
	}
	return table
}

// folded is the name of a column in lower case, without accents and all but letters and
// digits, so that different spellings are the same.
func folded(header string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsLetter(r) || unicode.IsDigit(r) {
			return unicode.ToLower(r)
		}
		return -1 // accents too, which NFKD splits off
	}, norm.NFKD.String(header))
}

// The parts of ADR (RFC 2426 3.2.1).
const (
	adrBox = iota
	adrExtended
	adrStreet
	adrCity
	adrRegion
	adrCode
	adrCountry
)

// addressParts are columns of addresses, without where they are of.
func addressParts() map[string]int {
	return map[string]int{
		"pobox": adrBox, "addresspobox": adrBox, "boitepostale": adrBox, "bp": adrBox, "boitepostaledeladresse": adrBox,
		"extendedaddress": adrExtended,
		"street":          adrStreet, "street2": adrStreet, "street3": adrStreet, "address": adrStreet, "address2": adrStreet,
		"rue": adrStreet, "rue2": adrStreet, "rue3": adrStreet, "adresse": adrStreet, "adresse2": adrStreet,
		"city": adrCity, "ville": adrCity,
		"state": adrRegion, "region": adrRegion, "depregion": adrRegion, "departementregion": adrRegion, "paysetat": adrRegion,
		"postalcode": adrCode, "zipcode": adrCode, "zip": adrCode, "codepostal": adrCode,
		"country": adrCountry, "countryregion": adrCountry, "pays": adrCountry, "paysregion": adrCountry,
	}
}

// placesOfAddresses are the words for where an address is of, before or after the rest.
func placesOfAddresses() []struct{ word, kind string } {
	return []struct{ word, kind string }{
		{"business", "WORK"}, {"work", "WORK"}, {"bureau", "WORK"}, {"professionnelle", "WORK"}, {"professionnel", "WORK"},
		{"home", "HOME"}, {"domicile", "HOME"}, {"privee", "HOME"}, {"personnelle", "HOME"}, {"personnel", "HOME"},
		{"other", "OTHER"}, {"autre", "OTHER"},
	}
}

// addressField finds columns such as "Business Street 2" and "Ville (bureau)".
func addressField(name string) (field, bool) {
	parts := addressParts()
	for _, p := range placesOfAddresses() {
		rest, ok := strings.CutPrefix(name, p.word)
		if !ok {
			rest = strings.Replace(name, p.word, "", 1) // "Adresse privée 2", "Rue (bureau) 2"
		}
		if part, known := parts[rest]; known && rest != name {
			return field{name: "ADR", part: part, kind: p.kind, of: p.kind}, true
		}
	}
	if part, ok := parts[name]; ok {
		return field{name: "ADR", part: part}, true
	}
	return field{}, false
}

// numbered are the columns that Google numbers: "E-mail 1 - Value", "Address 2 - City".
func numbered() *regexp.Regexp {
	return regexp.MustCompile(`^(email|phone|address|organization|website|im|event|relation|customfield)([0-9]+)(.+)$`)
}

// googleField finds numbered columns. The column of the type has the name ":".
func googleField(re *regexp.Regexp, name string) (field, bool) {
	m := re.FindStringSubmatch(name)
	if m == nil {
		return field{}, false
	}
	f := field{of: m[1] + m[2]}
	switch rest := m[3]; m[1] {
	case "email", "phone", "website":
		f.name = map[string]string{"email": "EMAIL", "phone": "TEL", "website": "URL"}[m[1]]
		switch rest {
		case "type", "label":
			f.name = ":"
		case "value":
		default:
			return field{}, false
		}
	case "address":
		f.name = "ADR"
		part, ok := addressParts()[rest]
		switch {
		case rest == "type" || rest == "label":
			f.name = ":"
		case rest == "formatted":
			f.name = "LABEL"
		case !ok:
			return field{}, false
		}
		f.part = part
	case "organization":
		part, ok := map[string]field{
			"name": {name: "ORG"}, "department": {name: "ORG", part: 1}, "title": {name: "TITLE"}, "type": {name: ignored},
		}[rest]
		if !ok || m[2] != "1" {
			return field{}, false
		}
		return part, true
	default:
		return field{}, false
	}
	return f, true
}
