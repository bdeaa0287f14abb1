package lua

// toolFunctions are what scripts find without a prefix beside the language.
var toolFunctions = map[string]function{}

// toolLibraries are the tables of tool functions.
var toolLibraries = map[string]library{}
