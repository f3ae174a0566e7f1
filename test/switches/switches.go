// Package switches has every suite that runs the whole gateway run under either
// setting of everything that is not established about Outlook: the environment
// variable OUTLOOK_SWITCH names one setting that differs from the usual ones. The
// script scripts/switches goes through all of them.
package switches

import (
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"time"

	simoutlook "github.com/nightpos/outlook-gateway/test/sim/outlook"
)

// Variable names the environment variable.
const Variable = "OUTLOOK_SWITCH"

// Setting is one that differs from the usual ones.
type Setting struct {
	Name string
	// Outlook is what Outlook does otherwise; nil for nothing.
	Outlook func(*simoutlook.Switches)
	// Content says that the gateway asks for notifications with content.
	Content bool
}

// Apply changes the switches of a simulated Outlook.
func (s Setting) Apply(to *simoutlook.Switches) {
	if s.Outlook != nil {
		s.Outlook(to)
	}
}

// span is a fixed range of durations.
func span(least, most time.Duration) *simoutlook.Span {
	return &simoutlook.Span{Least: least, Most: most}
}

// All are the settings, by what their switch is about. Those of the sign-in pages
// are test/signin's, which runs under both.
var All = []Setting{
	{Name: "RefreshTokenOnce", Outlook: func(s *simoutlook.Switches) { s.RefreshTokenOnce = true }},
	{Name: "QualifiedScopes", Outlook: func(s *simoutlook.Switches) { s.QualifiedScopes = true }},
	{Name: "MailNull", Outlook: func(s *simoutlook.Switches) { s.MailNull = true }},
	{Name: "TokenLifetime=20h", Outlook: func(s *simoutlook.Switches) { s.TokenLifetime = *span(20*time.Hour, 28*time.Hour) }},
	{Name: "TokenLifetime=20m", Outlook: func(s *simoutlook.Switches) { s.TokenLifetime = *span(20*time.Minute, 30*time.Minute) }},
	{Name: "AcceptEveryZone", Outlook: func(s *simoutlook.Switches) { s.AcceptEveryZone = true }},
	{Name: "IgnoreIfMatch", Outlook: func(s *simoutlook.Switches) { s.IgnoreIfMatch = true }},
	{Name: "TransientConflicts=0.035", Outlook: func(s *simoutlook.Switches) { s.TransientConflicts = 0.035 }},
	{Name: "AnswersReset", Outlook: func(s *simoutlook.Switches) { s.AnswersReset = true }},
	{Name: "QuietPersonal", Outlook: func(s *simoutlook.Switches) { s.QuietPersonal = true }},
	{Name: "DuplicateConflict", Outlook: func(s *simoutlook.Switches) { s.DuplicateConflict = true }},
	{Name: "PauseLoses", Outlook: func(s *simoutlook.Switches) { s.PauseLoses = true }},
	{Name: "TokensIgnored", Outlook: func(s *simoutlook.Switches) { s.TokensIgnored = true }},
	{Name: "GoneOtherwise", Outlook: func(s *simoutlook.Switches) { s.GoneOtherwise = true }},
	{Name: "UnvalidatedTaken", Outlook: func(s *simoutlook.Switches) { s.UnvalidatedTaken = true }},
	{Name: "TwinsMerged", Outlook: func(s *simoutlook.Switches) { s.TwinsMerged = true }},
	{Name: "NoOnlineMeetings", Outlook: func(s *simoutlook.Switches) { s.NoOnlineMeetings = true }},
	{Name: "PrefixRepeats", Outlook: func(s *simoutlook.Switches) { s.PrefixRepeats = true }},

	{Name: "SecondaryQuiet", Outlook: func(s *simoutlook.Switches) { s.SecondaryQuiet = true }},
	{Name: "CalendarExpansion=refused", Outlook: func(s *simoutlook.Switches) { s.CalendarExpansion = simoutlook.CalendarRefused }},
	{Name: "CalendarExpansion=ignored", Outlook: func(s *simoutlook.Switches) { s.CalendarExpansion = simoutlook.CalendarIgnored }},

	{Name: "Exceptions=keep", Outlook: func(s *simoutlook.Switches) { s.Exceptions = simoutlook.ExceptionsKeep }},
	{Name: "Exceptions=drop", Outlook: func(s *simoutlook.Switches) { s.Exceptions = simoutlook.ExceptionsDropAlways }},
	{Name: "OccurrencesShareUID", Outlook: func(s *simoutlook.Switches) { s.OccurrencesShareUID = true }},
	{Name: "ExceptionsNotExpanded", Outlook: func(s *simoutlook.Switches) { s.ExceptionsNotExpanded = true }},
	{Name: "StaleExceptions", Outlook: func(s *simoutlook.Switches) { s.StaleExceptions = true }},
	{Name: "StartMovesSeries", Outlook: func(s *simoutlook.Switches) { s.StartMovesSeries = true }},
	{Name: "OccurrenceDeletesSilent", Outlook: func(s *simoutlook.Switches) { s.OccurrenceDeletesSilent = true }},
	{Name: "DeltaTellsDeleted", Outlook: func(s *simoutlook.Switches) { s.DeltaTellsDeleted = true }},

	{Name: "NoLifecycle", Outlook: func(s *simoutlook.Switches) { s.NoLifecycle = true }},
	{Name: "NotificationDelay=10s", Outlook: func(s *simoutlook.Switches) { s.NotificationDelay = span(0, 10*time.Second) }},
	{Name: "OneNotification", Outlook: func(s *simoutlook.Switches) { s.OneNotification = true }},
	{Name: "Duplicates=0.9", Outlook: func(s *simoutlook.Switches) { s.Duplicates = 0.9 }},
	{Name: "VaryShapes", Outlook: func(s *simoutlook.Switches) { s.VaryShapes = true }},
	{Name: "DeltaReplays=0.3", Outlook: func(s *simoutlook.Switches) { s.DeltaReplays = 0.3 }},
	{Name: "DeltaEmptyPages=0.3", Outlook: func(s *simoutlook.Switches) { s.DeltaEmptyPages = 0.3 }},
	{Name: "DeltaDeletionsMissing=0.5", Outlook: func(s *simoutlook.Switches) { s.DeltaDeletionsMissing = 0.5 }},
	{Name: "MeetingDelay=2s", Outlook: func(s *simoutlook.Switches) { s.MeetingDelay = span(0, 2*time.Second) }},

	{Name: "Content", Content: true},
	{Name: "Content,OldValidationTokens", Content: true, Outlook: func(s *simoutlook.Switches) { s.OldValidationTokens = true }},
	{Name: "Content,NoValidationTokens", Content: true, Outlook: func(s *simoutlook.Switches) { s.NoValidationTokens = true }},
}

// Now is the setting that the environment names; the usual ones when it names none.
// A name that is not known stops everything: a run under a setting that there is
// not would show nothing.
func Now() Setting {
	name := os.Getenv(Variable)
	if name == "" {
		return Setting{}
	}
	index := slices.IndexFunc(All, func(setting Setting) bool { return setting.Name == name })
	if index < 0 {
		panic(fmt.Sprintf("%s=%s: there is no such setting; there are %s", Variable, name, strings.Join(Names(), " ")))
	}
	return All[index]
}

// Drawn is the setting that the environment names, or else one of them all that a
// seed decides.
func Drawn(seed uint64) Setting {
	if os.Getenv(Variable) != "" {
		return Now()
	}
	return All[rand.New(rand.NewPCG(seed, 15)).IntN(len(All))]
}

// Names are the names of all settings.
func Names() []string {
	names := make([]string, 0, len(All))
	for _, setting := range All {
		names = append(names, setting.Name)
	}
	return names
}
