package console

import (
	"context"
	"errors"
	"net/http"
	"strings"

	"github.com/nightpos/outlook-gateway/gateway"
	"github.com/nightpos/outlook-gateway/gateway/languages"
)

// signInPage is shown to whoever is not known.
type signInPage struct{ Wrong string }

// TokenSet says whether there is an admin token.
func (v *view) TokenSet() bool { return v.console.Visitors.TokenSet() }

// ConnectPath is where a NightPOS session or a connect link leads from.
func (v *view) ConnectPath() string { return v.console.Visitors.Base() + "/microsoft_account/connect" }

// signIn takes the admin token, once.
func (c *Console) signIn(ctx context.Context, v *view, w http.ResponseWriter, r *http.Request) error {
	err := c.Visitors.SignIn(ctx, w, r, strings.TrimSpace(r.PostForm.Get("token")))
	switch {
	case errors.Is(err, gateway.ErrWrongToken):
		c.show(v, w, http.StatusUnauthorized, "sign-in", signInPage{"signin.wrong"})
	case errors.Is(err, gateway.ErrTooManyTries):
		w.Header().Set("Retry-After", "10")
		c.show(v, w, http.StatusTooManyRequests, "sign-in", signInPage{"signin.too_many"})
	case err != nil:
		return err
	default:
		c.turn(v, w, r, "/gateway", "")
	}
	return nil
}

// signOut ends the gateway's own session.
func (c *Console) signOut(ctx context.Context, v *view, w http.ResponseWriter, r *http.Request) error {
	c.Visitors.SignOut(ctx, w, r)
	c.turn(v, w, r, "/", "signed_out")
	return nil
}

// language remembers a choice and shows the same page again.
func (c *Console) language(_ context.Context, v *view, w http.ResponseWriter, r *http.Request) error {
	chosen, spoken := languages.Parse(r.PostForm.Get("language"))
	if !spoken {
		return &gateway.Refusal{Status: http.StatusBadRequest, Text: "the form cannot be read"}
	}
	name, secure := c.Visitors.CookieName("language")
	languages.Remember(w, name, secure, chosen)
	back := r.PostForm.Get("back")
	// Only to a page of the console itself.
	if !strings.HasPrefix(back, root) || strings.ContainsAny(back, "\\\r\n") {
		back = root + "/"
	}
	http.Redirect(w, r, c.Visitors.Base()+back, http.StatusSeeOther)
	return nil
}
