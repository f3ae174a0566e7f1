package outlook

import (
	"fmt"
	"net/http"
)

// graphError is an answer of Graph that is not a success. It becomes the error
// envelope of fact 8.15.
type graphError struct {
	status  int
	code    string
	message string
	extra   map[string]any // further members of "error"
	header  http.Header
}

func (e *graphError) Error() string {
	return fmt.Sprintf("%d %s: %s", e.status, e.code, e.message)
}

func failure(status int, code, format string, arguments ...any) *graphError {
	return &graphError{status: status, code: code, message: fmt.Sprintf(format, arguments...)}
}

func badRequest(code, format string, arguments ...any) *graphError {
	return failure(http.StatusBadRequest, code, format, arguments...)
}

// errorMalformedID answers for anything that does not have the form of an id of
// this mailbox in the mode that the request asked for; Graph parses ids before
// it looks them up (7.3).
func errorMalformedID() *graphError {
	return badRequest("ErrorInvalidIdMalformed", "Id is malformed.")
}

func errorItemNotFound() *graphError {
	return failure(http.StatusNotFound, "ErrorItemNotFound", "The specified object was not found in the store.")
}

func errorUnknownRoute(segment string) *graphError {
	return badRequest("BadRequest", "Resource not found for the segment '%s'.", segment)
}

func errorMethod(method string) *graphError {
	return failure(http.StatusMethodNotAllowed, "Request_BadRequest", "The method %s is not allowed on this resource.", method)
}

func errorAccessDenied() *graphError {
	return failure(http.StatusForbidden, "ErrorAccessDenied", "Access is denied. Check credentials and try again.")
}

func errorUnauthenticated(message string) *graphError {
	refused := failure(http.StatusUnauthorized, "InvalidAuthenticationToken", "%s", message)
	refused.header = http.Header{"Www-Authenticate": {`Bearer realm="", authorization_uri="https://login.microsoftonline.com/common/oauth2/authorize"`}}
	return refused
}

// errorBody answers when a property has the wrong JSON type or is a null list
// (8.15, 13.20).
func errorBody() *graphError {
	return badRequest("UnableToDeserializePostBody", "were unable to deserialize ")
}

func errorUnknownProperty(name, kind string) *graphError {
	return badRequest("RequestBodyRead", "The property '%s' does not exist on type 'Microsoft.OutlookServices.%s'. Make sure to only use property names that are defined by the type or mark the type as open type.", name, kind)
}

func errorInvalid(format string, arguments ...any) *graphError {
	return badRequest("ErrorInvalidRequest", format, arguments...)
}
