package server

import "facteur/server/homes"

// failingWords are the texts about calendars that can't be fetched, by language (`language`
// of mail.toml).
var failingWords = map[string]failingTexts{
	"en": {
		subject:  `The calendar "%s" can't be fetched`,
		subjects: "%d calendars can't be fetched",
		begin: `A calendar of another server, to which you are subscribed, could not be
fetched for a day. What was fetched last still stands in it.

`,
		head: "%s, of %s, since %s:\n\n",
		end: `It is tried again by itself, once a day. There is no other notice about it
before it has worked again. If you don't need it any more, delete the
calendar in your calendar program.
`,
		one: map[homes.Reason]reasonText{
			homes.NotAllowed: {
				why:  "This mail server may not fetch calendars from there.",
				todo: "Ask your postmaster (POSTMASTER): HOST must be among the\n`subscriptions` of [calendars] in mail.toml.",
			},
			homes.LeadsAway: {
				why:  "The server sends us on to another one: DETAIL.",
				todo: "Ask who publishes the calendar for its new address, and subscribe to that;\nor ask your postmaster (POSTMASTER) to allow the other host.",
			},
			homes.Gone: {
				why:  "The server says that there is no such calendar.",
				todo: "Ask who publishes it for its new address, subscribe to that, and delete this\none in your calendar program.",
			},
			homes.Denied: {
				why:  "The server does not let us read it: it asks for a password, or refuses.",
				todo: "Ask who publishes it to make it public, or for a link that works without a\npassword, and subscribe to that.",
			},
			homes.BadStatus: {
				why:  "The server fails: DETAIL.",
				todo: "There is nothing to do but to wait. If it lasts, tell who publishes it.",
			},
			homes.NoCalendar: {
				why:  "What the server sends is no calendar: DETAIL.",
				todo: "It may be a page to log in, or one that shows the calendar. Ask who publishes\nit for the address that ends in .ics (iCal), and subscribe to that.",
			},
			homes.TooLarge: {
				why:  "It is too large: DETAIL.",
				todo: "Ask who publishes it to leave out what is long past.",
			},
			homes.Certificate: {
				why:  "The server can't be trusted: DETAIL.",
				todo: "Its certificate may have ended. Tell who publishes the calendar.",
			},
			homes.Unreachable: {
				why:  "The server can't be reached: DETAIL.",
				todo: "Look whether its address is still right. If it opens in a browser, tell your\npostmaster (POSTMASTER).",
			},
			homes.NotKept: {
				why:  "It came, and could not be written on this mail server.",
				todo: "Tell your postmaster (POSTMASTER): the log has more of it.",
			},
		},
	},
	"fr": {
		subject:  "L’agenda « %s » ne peut plus être relevé",
		subjects: "%d agendas ne peuvent plus être relevés",
		begin: `Un agenda d’un autre serveur, auquel vous êtes abonné, n’a pas pu être relevé
depuis un jour. Ce qui a été relevé en dernier y figure toujours.

`,
		head: "%s, de %s, depuis le %s :\n\n",
		end: `Un nouvel essai a lieu chaque jour, sans que vous ayez rien à faire. Il n’y
aura pas d’autre message à ce sujet avant que cela ait de nouveau marché. Si
vous n’en avez plus besoin, supprimez l’agenda dans votre programme.
`,
		one: map[homes.Reason]reasonText{
			homes.NotAllowed: {
				why:  "Ce serveur de courrier n’a pas le droit d’y relever des agendas.",
				todo: "Demandez à votre administrateur (POSTMASTER) : HOST doit figurer\ndans `subscriptions` de [calendars] dans mail.toml.",
			},
			homes.LeadsAway: {
				why:  "Le serveur nous renvoie à un autre : DETAIL.",
				todo: "Demandez la nouvelle adresse à qui publie l’agenda, et abonnez-vous à celle-là ;\nou demandez à votre administrateur (POSTMASTER) d’autoriser l’autre serveur.",
			},
			homes.Gone: {
				why:  "Le serveur répond que cet agenda n’existe pas.",
				todo: "Demandez la nouvelle adresse à qui le publie, abonnez-vous à celle-là, et\nsupprimez cet agenda-ci dans votre programme.",
			},
			homes.Denied: {
				why:  "Le serveur ne nous laisse pas le lire : il veut un mot de passe, ou refuse.",
				todo: "Demandez à qui le publie de le rendre public, ou un lien qui marche sans mot de\npasse, et abonnez-vous à celui-là.",
			},
			homes.BadStatus: {
				why:  "Le serveur est en panne : DETAIL.",
				todo: "Il n’y a rien à faire, sinon attendre. Si cela dure, dites-le à qui le publie.",
			},
			homes.NoCalendar: {
				why:  "Ce que le serveur envoie n’est pas un agenda : DETAIL.",
				todo: "C’est peut-être une page de connexion, ou une page qui montre l’agenda. Demandez\nà qui le publie l’adresse qui finit par .ics (iCal), et abonnez-vous à celle-là.",
			},
			homes.TooLarge: {
				why:  "Il est trop grand : DETAIL.",
				todo: "Demandez à qui le publie d’en ôter ce qui est passé depuis longtemps.",
			},
			homes.Certificate: {
				why:  "On ne peut pas se fier au serveur : DETAIL.",
				todo: "Son certificat a peut-être expiré. Dites-le à qui publie l’agenda.",
			},
			homes.Unreachable: {
				why:  "Le serveur ne répond pas : DETAIL.",
				todo: "Voyez si son adresse est toujours la bonne. S’il s’ouvre dans un navigateur,\ndites-le à votre administrateur (POSTMASTER).",
			},
			homes.NotKept: {
				why:  "Il est arrivé, mais n’a pas pu être écrit sur ce serveur de courrier.",
				todo: "Dites-le à votre administrateur (POSTMASTER) : le journal en dit plus.",
			},
		},
	},
}
