package outlook

import "strings"

// graphEvent is an event as Graph shows it. Requests are built as maps instead:
// a field that is not to be changed must be absent, and a list never null.
type graphEvent struct {
	ETag                  string              `json:"@odata.etag"`
	ID                    string              `json:"id"`
	ICalUID               string              `json:"iCalUId"`
	ChangeKey             string              `json:"changeKey"`
	Created               string              `json:"createdDateTime"`
	LastModified          string              `json:"lastModifiedDateTime"`
	Type                  string              `json:"type"`
	SeriesMasterID        string              `json:"seriesMasterId"`
	Subject               string              `json:"subject"`
	Body                  graphBody           `json:"body"`
	Preview               *string             `json:"bodyPreview"`
	Start                 graphTimeZone       `json:"start"`
	End                   graphTimeZone       `json:"end"`
	OriginalStartTimeZone string              `json:"originalStartTimeZone"`
	IsAllDay              bool                `json:"isAllDay"`
	IsCancelled           bool                `json:"isCancelled"`
	IsOrganizer           bool                `json:"isOrganizer"`
	ResponseStatus        graphResponse       `json:"responseStatus"`
	Location              graphLocation       `json:"location"`
	Organizer             graphRecipient      `json:"organizer"`
	Attendees             []graphAttendee     `json:"attendees"`
	Sensitivity           string              `json:"sensitivity"`
	ShowAs                string              `json:"showAs"`
	IsReminderOn          bool                `json:"isReminderOn"`
	ReminderMinutes       int                 `json:"reminderMinutesBeforeStart"`
	Categories            []string            `json:"categories"`
	IsOnlineMeeting       bool                `json:"isOnlineMeeting"`
	OnlineMeeting         *graphOnlineMeeting `json:"onlineMeeting"`
	OnlineMeetingURL      string              `json:"onlineMeetingUrl"`
	Properties            []graphProperty     `json:"singleValueExtendedProperties"`
	// Calendar is only there where it was asked for.
	Calendar *graphCalendar `json:"calendar"`

	// Of masters, if asked for.
	Recurrence     *Recurrence   `json:"recurrence"`
	Cancelled      []string      `json:"cancelledOccurrences"`
	Exceptions     *[]graphEvent `json:"exceptionOccurrences"`
	MoreExceptions string        `json:"exceptionOccurrences@odata.nextLink"`
	// OriginalStart, of occurrences and exceptions, is where the rule puts them:
	// an instant in UTC.
	OriginalStart string `json:"originalStart"`
}

// typeMaster is the type of a series' master.
const typeMaster = "seriesMaster"

type graphBody struct {
	ContentType string `json:"contentType"`
	Content     string `json:"content"`
}

type graphTimeZone struct {
	DateTime string `json:"dateTime"`
	TimeZone string `json:"timeZone"`
}

type graphResponse struct {
	Response string `json:"response"`
	Time     string `json:"time"`
}

type graphLocation struct {
	DisplayName string `json:"displayName"`
}

type graphAddress struct {
	Name    string `json:"name"`
	Address string `json:"address"`
}

type graphRecipient struct {
	EmailAddress graphAddress `json:"emailAddress"`
}

type graphAttendee struct {
	Type         string        `json:"type"`
	Status       graphResponse `json:"status"`
	EmailAddress graphAddress  `json:"emailAddress"`
}

type graphOnlineMeeting struct {
	JoinURL string `json:"joinUrl"`
}

type graphProperty struct {
	ID    string `json:"id"`
	Value string `json:"value"`
}

// selected are the properties that are read. isOnlineMeeting must be among them
// for onlineMeeting to be answered.
const selected = "id,iCalUId,changeKey,createdDateTime,lastModifiedDateTime,type,seriesMasterId,subject,body,bodyPreview,start,end,originalStartTimeZone,isAllDay," +
	"isCancelled,isOrganizer,responseStatus,location,organizer,attendees,sensitivity,showAs,isReminderOn," +
	"reminderMinutesBeforeStart,categories,isOnlineMeeting,onlineMeeting,onlineMeetingUrl"

// told are the properties that notifications with content tell: all that are read,
// but for the body, which Graph does not put into notifications.
var told = strings.Replace(selected, ",body,", ",", 1)

// selectedOfSeries are read of masters besides: the rule, and what differs from
// it. Answers hold the last two only when asked for by name, the exceptions also
// only when expanded, and not always then.
const selectedOfSeries = selected + ",recurrence,originalStart,cancelledOccurrences,exceptionOccurrences"

// selectedOfInstances tell one occurrence from another.
const selectedOfInstances = "id,type,seriesMasterId,originalStart,start,end,originalStartTimeZone,isAllDay"

// markProperty is the extended property that holds, in a copy made by the
// gateway, which NightPOS record it was made for. Its id must never change:
// mailboxes have a finite number of names for such properties.
const markProperty = "String {5a0f4a0b-2f3e-4d0c-9f6a-6e6967687470} Name NightPOSRecord"

// expanded asks for that property.
const expanded = "singleValueExtendedProperties($filter=id eq '" + markProperty + "')"
