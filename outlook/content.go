package outlook

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/time/rate"

	"github.com/nightpos/outlook-gateway/reconciler"
)

// Contents keep what notifications told, for those who subscribe with content.
type Contents interface {
	// Contents returns what notifications told of these events lately, as
	// Notification.Content; of most events that is nothing.
	Contents(ctx context.Context, lane string, ids []string) (map[string][]byte, error)
	// ContentKey returns the key of an id, nil when there is none any more.
	ContentKey(ctx context.Context, id string) (*ContentKey, error)
}

// toldContent is Notification.Content: still encrypted, with the token that shows
// who sent it.
type toldContent struct {
	Content encryptedContent `json:"content"`
	Token   string           `json:"token"`
	Tenant  string           `json:"tenant"`
}

const (
	// maxContents is how many notifications of one post may have content.
	maxContents = 500
	// maxTokens is how many validation tokens one post may have, and maxToken how
	// long each: they have about 2,000 characters.
	maxTokens = 16
	maxToken  = 8 << 10
)

// tokenFor chooses the token of a tenant. That it is worth anything is found out
// later.
func tokenFor(tokens []string, tenant string) string {
	for _, token := range tokens {
		_, rest, _ := strings.Cut(token, ".")
		claims, _, _ := strings.Cut(rest, ".")
		content, err := base64.RawURLEncoding.DecodeString(claims)
		var said struct {
			Tenant string `json:"tid"`
		}
		if err == nil && json.Unmarshal(content, &said) == nil && said.Tenant != "" && strings.EqualFold(said.Tenant, tenant) {
			return token
		}
	}
	return ""
}

// attach gives content to the notifications that came with it. Without a token it
// is not to be believed, and left away.
func attach(notifications []Notification, sealed []*encryptedContent, tokens []string) {
	attached := 0
	for index := range notifications {
		told := &notifications[index]
		if sealed[index] == nil || told.GraphID == "" || told.ChangeKey == "" || told.ChangeType == "deleted" || attached == maxContents {
			continue
		}
		token := tokenFor(tokens, told.TenantID)
		if token == "" {
			continue
		}
		content, err := json.Marshal(toldContent{Content: *sealed[index], Token: token, Tenant: told.TenantID})
		if err == nil {
			told.Content, attached = content, attached+1
		}
	}
}

// changeTracking is the application that Graph sends notifications as, in every
// cloud.
const changeTracking = "0bf30f3b-4a52-48df-9a82-234910c4a086"

var errSender = errors.New("a validation token does not show that Microsoft sent a notification")

// validation checks who sent a notification with content.
type validation struct {
	config Config
	keys   oidc.KeySet
}

// keyPace is how often Microsoft's signing keys are asked for at most, when tokens
// name one that is not known: whoever makes up names is not to make calls.
const keyPace = time.Minute

// newValidation makes one. It makes no call.
func newValidation(config Config) *validation {
	asking := &http.Client{
		Transport: &pacedTransport{next: config.HTTP, limiter: rate.NewLimiter(rate.Every(keyPace), 3), now: config.Now}, Timeout: 5 * time.Second,
	}
	ctx := oidc.ClientContext(context.Background(), asking)
	return &validation{config: config, keys: oidc.NewRemoteKeySet(ctx, config.LoginURL+"/common/discovery/v2.0/keys")}
}

// pacedTransport fails calls that are too many.
type pacedTransport struct {
	next    http.RoundTripper
	limiter *rate.Limiter
	now     func() time.Time
}

var errPaced = errors.New("it was asked a moment ago")

// RoundTrip implements http.RoundTripper.
func (t *pacedTransport) RoundTrip(request *http.Request) (*http.Response, error) {
	if !t.limiter.AllowN(t.now(), 1) {
		return nil, errPaced
	}
	return t.next.RoundTrip(request)
}

// check says whether a token is Microsoft's word to this application that it has
// sent notifications of a tenant.
func (v *validation) check(ctx context.Context, token, tenant, clientID string) error {
	if clientID == "" {
		return errSender
	}
	verifier := oidc.NewVerifier("", v.keys, &oidc.Config{ClientID: clientID, SkipIssuerCheck: true, Now: v.config.Now, SupportedSigningAlgs: []string{oidc.RS256}})
	shown, err := verifier.Verify(ctx, token)
	if err != nil {
		return fmt.Errorf("%w: %w", errSender, err)
	}
	var said struct {
		Version     string `json:"ver"`
		Tenant      string `json:"tid"`
		Application string `json:"appid"`
		Authorized  string `json:"azp"`
	}
	if err := shown.Claims(&said); err != nil {
		return errSender
	}
	sender, issuers := said.Authorized, []string{v.config.LoginURL + "/" + said.Tenant + "/v2.0"}
	if said.Version == "1.0" {
		sender, issuers = said.Application, []string{"https://sts.windows.net/" + said.Tenant + "/", "https://sts.chinacloudapi.cn/" + said.Tenant + "/"}
	}
	known := false
	for _, issuer := range issuers {
		known = known || strings.EqualFold(shown.Issuer, issuer)
	}
	if !known || said.Tenant == "" || !strings.EqualFold(said.Tenant, tenant) || !strings.EqualFold(sender, changeTracking) {
		return errSender
	}
	return nil
}

// Told returns the copies, as notifications told of them, that can be believed to
// come from Microsoft: without the text of their body, and perhaps out of date. It
// makes no call about the mailbox; what cannot be read is left out.
func (c *Client) Told(ctx context.Context, member reconciler.Member, ids []string) map[string]reconciler.Copy {
	told := map[string]reconciler.Copy{}
	if c.config.Contents == nil || len(ids) == 0 {
		return told
	}
	kept, err := c.config.Contents.Contents(ctx, member.ID, ids)
	if err != nil {
		return told
	}
	for id, content := range kept {
		began := c.config.Now()
		copied, err := c.toldCopy(ctx, id, content)
		c.config.Observe("content", c.config.Now().Sub(began), err)
		if err == nil {
			told[id] = copied
		}
	}
	return told
}

func (c *Client) toldCopy(ctx context.Context, id string, content []byte) (reconciler.Copy, error) {
	var told toldContent
	if err := json.Unmarshal(content, &told); err != nil {
		return reconciler.Copy{}, errContent
	}
	if err := c.validation.check(ctx, told.Token, told.Tenant, c.ClientID()); err != nil {
		return reconciler.Copy{}, err
	}
	key, err := c.config.Contents.ContentKey(ctx, told.Content.CertificateID)
	if err != nil {
		return reconciler.Copy{}, err
	}
	if key == nil {
		return reconciler.Copy{}, errContent
	}
	plain, err := key.open(told.Content)
	if err != nil {
		return reconciler.Copy{}, err
	}
	var event graphEvent
	if json.Unmarshal(plain, &event) != nil || event.ID != id || event.Type == "" {
		return reconciler.Copy{}, errContent
	}
	copied := c.copyOf(event, 0)
	copied.Told = true
	return copied, nil
}

// previewLength is how many characters of a text its preview shows at most; Graph
// shows 255, which is not documented.
const previewLength = 200

// previewOf is reconciler.Copy.Preview.
func (c *Client) previewOf(event graphEvent) string {
	switch {
	case c.config.Contents == nil || event.Preview == nil:
		return ""
	case utf8.RuneCountInString(*event.Preview) > previewLength || event.IsOnlineMeeting:
		return reconciler.PreviewOpen
	}
	return reconciler.DigestPreview(*event.Preview)
}
