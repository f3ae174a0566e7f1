package outlook

import (
	"context"
	"net/http"
	"time"
)

// SignInCall describes a call to the token endpoint to Config.SignInFaults.
type SignInCall struct {
	Time        time.Time
	Tenant      string // the tenant segment of the path
	Grant       string // grant_type
	Application string // client_id, as given
	Mailbox     string // whose code or refresh token it is; empty when unknown
}

// SignInFault is an answer of the token endpoint that is not the true one. The
// zero SignInFault changes nothing.
type SignInFault struct {
	Status     int    // HTTP status; 0 leaves the true answer
	Error      string // the word of RFC 6749, such as invalid_grant (1.12)
	Number     int    // the AADSTS number
	SubError   string // such as consent_required (1.11)
	Text       string
	RetryAfter time.Duration // 0 means no Retry-After header
	// AfterCommit carries the call out before the fault is answered: with
	// Switches.RefreshTokenOnce the refresh token is used up.
	AfterCommit bool
	// Drop closes the connection instead of answering.
	Drop bool
	// Delay is waited before anything else.
	Delay time.Duration
}

// spoilSignIn plays the fault that Config.SignInFaults asks for, and says whether
// the call is over with it. Carry carries the true call out.
func (s *Server) spoilSignIn(w http.ResponseWriter, r *http.Request, call SignInCall, carry func(http.ResponseWriter)) bool {
	s.mutex.Lock()
	if len(s.signIns) >= maximumCalls {
		s.signIns = append([]SignInCall{}, s.signIns[maximumCalls/2:]...)
	}
	s.signIns = append(s.signIns, call)
	s.mutex.Unlock()
	if s.config.SignInFaults == nil {
		return false
	}
	fault := s.config.SignInFaults(call)
	if fault == nil {
		return false
	}
	if !sleep(r.Context(), fault.Delay) {
		panic(http.ErrAbortHandler)
	}
	if fault.Status == 0 && !fault.Drop {
		return false
	}
	if fault.AfterCommit {
		carry(unheard{header: http.Header{}})
	}
	if fault.Drop {
		panic(http.ErrAbortHandler) // net/http's way of closing the connection unanswered
	}
	if fault.RetryAfter > 0 {
		w.Header().Set("Retry-After", retryAfter(fault.RetryAfter).Get("Retry-After"))
	}
	s.refuse(w, fault.Status, fault.Error, fault.Number, fault.Text, fault.SubError)
	return true
}

// unheard takes an answer that nobody is to see.
type unheard struct{ header http.Header }

func (u unheard) Header() http.Header          { return u.header }
func (unheard) Write(text []byte) (int, error) { return len(text), nil }
func (unheard) WriteHeader(int)                {}

// SignIns returns the latest calls to the token endpoint, oldest first, at most
// 10,000.
func (s *Server) SignIns() []SignInCall {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	return append([]SignInCall{}, s.signIns...)
}

// EndAccess makes every access token of a person worthless, while the refresh
// tokens stay as they are: Graph answers 401 until the application asks for a
// new one (1.22). It tells whether the mailbox exists.
func (s *Server) EndAccess(_ context.Context, address string) bool {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	box := s.find(address)
	for token, held := range s.access {
		if held.box == box {
			delete(s.access, token)
		}
	}
	return box != nil
}
