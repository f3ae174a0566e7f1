package outlook

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"go.uber.org/zap"
	"golang.org/x/oauth2"
	"golang.org/x/oauth2/clientcredentials"
)

// Diagnosis asks Microsoft about an application without anybody's consent, for
// whoever sets the gateway up. It takes the part of a Config that is about the
// application; DatabaseID and Store are not needed.
type Diagnosis struct{ config Config }

// NewDiagnosis makes one. It makes no call.
func NewDiagnosis(config Config) *Diagnosis {
	if config.HTTP == nil {
		config.HTTP = http.DefaultTransport
	}
	if config.Now == nil {
		config.Now = time.Now
	}
	if config.Log == nil {
		config.Log = zap.NewNop()
	}
	return &Diagnosis{config}
}

func (d *Diagnosis) base() string { return d.config.LoginURL + "/" + d.config.Tenant }

// diagnosisAnswer bounds what is read of one answer.
const diagnosisAnswer = 1 << 20

// get reads a page, and where it sends the browser if it does.
func (d *Diagnosis) get(ctx context.Context, address string) (status int, location string, content []byte, err error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return 0, "", nil, fmt.Errorf("asking Microsoft: %w", err)
	}
	// A redirect is an answer here, and RoundTrip follows none.
	answer, err := d.config.HTTP.RoundTrip(request)
	if err != nil {
		return 0, "", nil, err
	}
	defer answer.Body.Close()
	content, err = io.ReadAll(io.LimitReader(answer.Body, diagnosisAnswer))
	return answer.StatusCode, answer.Header.Get("Location"), content, err
}

// Cloud is what Microsoft's sign-in tells about itself.
type Cloud struct {
	// TokenEndpoint is where tokens are asked for.
	TokenEndpoint string `json:"token_endpoint"`
	// GraphHost is the host of Graph that belongs to it; empty when not told.
	GraphHost string `json:"msgraph_host"`
}

// Discover asks the sign-in what it is. A *SignInError says that it answered, and
// refused.
func (d *Diagnosis) Discover(ctx context.Context) (Cloud, error) {
	status, _, content, err := d.get(ctx, d.base()+"/v2.0/.well-known/openid-configuration")
	if err != nil {
		return Cloud{}, err
	}
	if refused := refusalIn(content); refused != nil {
		return Cloud{}, refused
	}
	var told Cloud
	if status != http.StatusOK || json.Unmarshal(content, &told) != nil || told.TokenEndpoint == "" {
		return Cloud{}, fmt.Errorf("it answered %d, and not as Microsoft's sign-in does", status)
	}
	return told, nil
}

// shownNumber finds the number in an error page or text.
var shownNumber = regexp.MustCompile(`AADSTS(\d{4,9}):`)

func refusalIn(content []byte) *SignInError {
	found := shownNumber.FindSubmatch(content)
	if found == nil {
		return nil
	}
	number, _ := strconv.Atoi(string(found[1]))
	return &SignInError{Word: "invalid_request", Number: number, kind: ErrApplication}
}

// CheckRedirect has the sign-in look at the application and its redirect URI, as
// when a person begins to connect. A *SignInError says what it does not like.
func (d *Diagnosis) CheckRedirect(ctx context.Context) error {
	asked := oauth2.Config{
		ClientID: d.config.ClientID, RedirectURL: d.config.RedirectURL, Scopes: scopes,
		Endpoint: oauth2.Endpoint{AuthURL: d.base() + "/oauth2/v2.0/authorize"},
	}
	// Nobody is signed in, so that the answer is an error that is sent to the
	// redirect URI, if that is a right one.
	_, location, content, err := d.get(ctx, asked.AuthCodeURL("doctor", oauth2.S256ChallengeOption(oauth2.GenerateVerifier()), oauth2.SetAuthURLParam("prompt", "none")))
	if err != nil {
		return err
	}
	if strings.HasPrefix(location, d.config.RedirectURL) {
		return nil
	}
	if refused := refusalIn(content); refused != nil {
		return refused
	}
	return nil
}

// accepted are numbers that only an application gets whose credentials are right:
// it was let in and may not do what was asked.
var accepted = []int{70003, 7000229}

// personless are numbers that say that a tenant path takes no application alone.
var personless = []int{9001023, 50059, 50194}

// CheckApplication shows the application's id and secret, or certificate, to the
// sign-in. Proven says that it took them. A *SignInError says that it did not;
// without either Microsoft tells nothing before a person signs in.
func (d *Diagnosis) CheckApplication(ctx context.Context) (proven bool, err error) {
	endpoint := d.base() + "/oauth2/v2.0/token"
	secret := d.config.ClientSecret
	if d.config.Certificate != nil {
		secret = ""
	}
	asking := context.WithValue(ctx, oauth2.HTTPClient, newTokenSource(d.config).client)
	graph, _, _ := strings.Cut(strings.TrimPrefix(d.config.GraphURL, "https://"), "/")
	alone := clientcredentials.Config{
		ClientID: d.config.ClientID, ClientSecret: secret, TokenURL: endpoint,
		Scopes: []string{"https://" + graph + "/.default"}, AuthStyle: oauth2.AuthStyleInParams,
	}
	_, err = alone.Token(asking)
	var told *SignInError
	switch err = signInError(ctx, err, d.config.Now()); {
	case err == nil:
		return true, nil
	case !errors.As(err, &told):
		return false, err
	case slices.Contains(accepted, told.Number):
		return true, nil
	case !slices.Contains(personless, told.Number):
		return false, err
	}
	// With a refresh token that is none, the application is looked at all the same.
	renewing := oauth2.Config{
		ClientID: d.config.ClientID, ClientSecret: secret,
		Endpoint: oauth2.Endpoint{TokenURL: endpoint, AuthStyle: oauth2.AuthStyleInParams},
	}
	_, err = renewing.TokenSource(asking, &oauth2.Token{RefreshToken: "none"}).Token()
	err = signInError(ctx, err, d.config.Now())
	if errors.Is(err, ErrApplication) && errors.As(err, &told) && (told.Word == "invalid_client" || told.Word == "unauthorized_client") {
		return false, err
	}
	if !errors.As(err, &told) {
		return false, err
	}
	return false, nil
}
