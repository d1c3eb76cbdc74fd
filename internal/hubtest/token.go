package hubtest

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"
)

// claims is the payload of our tokens, as the distribution project's token specification has it.
type claims struct {
	Issuer   string   `json:"iss"`
	Subject  string   `json:"sub"`
	Audience string   `json:"aud"`
	Expires  int64    `json:"exp"` // milliseconds, where a JWT has seconds: tests have short lives
	IssuedAt int64    `json:"iat"`
	ID       string   `json:"jti"`
	Use      string   `json:"use"` // "access" or "refresh"
	Access   []access `json:"access"`
}

type access struct {
	Type    string   `json:"type"`
	Name    string   `json:"name"`
	Actions []string `json:"actions"`
}

func (h *Hub) mac(message string) string {
	m := hmac.New(sha256.New, h.key)
	m.Write([]byte(message))
	return base64.RawURLEncoding.EncodeToString(m.Sum(nil))
}

func (h *Hub) sign(c claims) string {
	part := func(v any) string { return base64.RawURLEncoding.EncodeToString(mustJSON(v)) }
	text := part(map[string]string{"alg": "HS256", "typ": "JWT"}) + "." + part(c)
	return text + "." + h.mac(text)
}

func (h *Hub) verify(token, use, audience string) (claims, bool) {
	var c claims
	i := strings.LastIndex(token, ".")
	if i < 0 || !hmac.Equal([]byte(h.mac(token[:i])), []byte(token[i+1:])) {
		return c, false
	}
	_, payload, _ := strings.Cut(token[:i], ".")
	raw, err := base64.RawURLEncoding.DecodeString(payload)
	if err != nil || json.Unmarshal(raw, &c) != nil {
		return c, false
	}
	return c, c.Use == use && c.Audience == audience && h.Now().UnixMilli() < c.Expires
}

// tokenFor mints an access token for what the user may have of the scopes.
func (h *Hub) tokenFor(s *Site, user string, scopes []string) (token string, got []access) {
	got = []access{}
	for _, scope := range scopes {
		kind, rest, _ := strings.Cut(scope, ":")
		i := strings.LastIndex(rest, ":")
		if i < 0 || kind != "repository" {
			continue
		}
		name := rest[:i]
		if actions := s.grants(user, name, strings.Split(rest[i+1:], ",")); len(actions) > 0 {
			got = append(got, access{kind, name, actions})
		}
	}
	return h.sign(h.claims(s, user, "access", h.TokenTTL, got)), got
}

func (h *Hub) claims(s *Site, user, use string, ttl time.Duration, got []access) claims {
	now := h.Now()
	return claims{
		Issuer: s.TokenHost, Subject: user, Audience: s.Service, Expires: now.Add(ttl).UnixMilli(),
		IssuedAt: now.UnixMilli(), ID: rand.Text(), Use: use, Access: got,
	}
}

// serveToken is the token service: GET with Basic or nobody, POST as OAuth 2 has it
// (https://distribution.github.io/distribution/spec/auth/).
func (h *Hub) serveToken(w *response, r *http.Request, t target) {
	s := t.site
	if s.Auth != Bearer || r.Method == http.MethodPost && s.NoPostToken {
		http.NotFound(w, r)
		return
	}
	var user, refresh string
	var scopes []string
	var ok bool
	switch r.Method {
	case http.MethodGet:
		user, refresh, ok = h.tokenGet(w, r, s)
		scopes = r.URL.Query()["scope"]
	case http.MethodPost:
		user, refresh, ok = h.tokenPost(w, r, s)
		scopes = r.PostForm["scope"]
	default:
		w.WriteHeader(http.StatusMethodNotAllowed)
		return
	}
	if !ok {
		return
	}
	w.user(user)
	var split []string
	for _, scope := range scopes {
		split = append(split, strings.Fields(scope)...)
	}
	token, got := h.tokenFor(s, user, split)
	if s.DenyToken && len(split) > 0 && len(got) == 0 {
		fail(w, http.StatusForbidden, "DENIED", "requested access to the resource is denied")
		return
	}
	answer := map[string]any{
		"access_token": token, "expires_in": int((h.TokenTTL + time.Second - 1) / time.Second), "issued_at": h.Now().UTC().Format(time.RFC3339Nano),
	}
	if r.Method == http.MethodGet {
		answer["token"] = token
	} else {
		answer["scope"] = scopeText(got)
	}
	if refresh != "" {
		answer["refresh_token"] = refresh
	}
	reply(w, http.StatusOK, "application/json", mustJSON(answer))
}

func (h *Hub) tokenGet(w *response, r *http.Request, s *Site) (user, refresh string, ok bool) {
	user, password, has := r.BasicAuth()
	if !has {
		return "", "", true
	}
	if ok, _ := s.login(user, password); !ok {
		reply(w, http.StatusUnauthorized, "application/json", []byte(`{"details":"incorrect username or password"}`+"\n"))
		return "", "", false
	}
	if r.URL.Query().Get("offline_token") == "true" {
		refresh = h.refreshFor(s, user)
	}
	return user, refresh, true
}

func (h *Hub) tokenPost(w *response, r *http.Request, s *Site) (user, refresh string, ok bool) {
	refuse := func(status int, code string) (string, string, bool) {
		reply(w, status, "application/json", mustJSON(map[string]string{"error": code}))
		return "", "", false
	}
	r.Body = http.MaxBytesReader(w, r.Body, 1<<20)
	if r.ParseForm() != nil {
		return refuse(http.StatusBadRequest, "invalid_request")
	}
	form := r.PostForm
	switch form.Get("grant_type") {
	case "password":
		user = form.Get("username")
		if ok, _ := s.login(user, form.Get("password")); !ok {
			return refuse(http.StatusUnauthorized, "invalid_grant")
		}
		if form.Get("access_type") == "offline" {
			refresh = h.refreshFor(s, user)
		}
		return user, refresh, true
	case "refresh_token":
		c, valid := h.verify(form.Get("refresh_token"), "refresh", s.Service)
		if !valid {
			return refuse(http.StatusUnauthorized, "invalid_grant")
		}
		return c.Subject, form.Get("refresh_token"), true
	}
	return refuse(http.StatusBadRequest, "unsupported_grant_type")
}

func (h *Hub) refreshFor(s *Site, user string) string {
	return h.sign(h.claims(s, user, "refresh", 365*24*time.Hour, nil))
}

func scopeText(got []access) string {
	var all []string
	for _, a := range got {
		all = append(all, a.Type+":"+a.Name+":"+strings.Join(a.Actions, ","))
	}
	return strings.Join(all, " ")
}

// scopeActions is what a challenge names for a request.
func scopeActions(r *http.Request) string {
	switch r.Method {
	case http.MethodGet, http.MethodHead:
		return "pull"
	case http.MethodDelete:
		return "delete"
	}
	return "pull,push"
}

// challenge is the value of WWW-Authenticate (RFC 6750 section 3).
func (s *Site) challenge(r *http.Request, repo, actions, problem string) string {
	s.hub.mu.Lock()
	realm := s.realm
	s.hub.mu.Unlock()
	if realm == "" {
		realm = base(r, s.TokenHost) + "/token"
	}
	c := fmt.Sprintf(`Bearer realm="%s",service="%s"`, realm, s.Service)
	if repo != "" {
		scope := "repository:" + repo + ":" + actions
		if from := r.URL.Query().Get("from"); from != "" && r.Method == http.MethodPost {
			scope += " repository:" + from + ":pull"
		}
		c += fmt.Sprintf(`,scope="%s"`, scope)
	}
	if problem != "" {
		c += fmt.Sprintf(`,error="%s"`, problem)
	}
	return c
}

// authorize checks the request's credentials for an action ("" : merely being somebody) in t.repo. Where they do not do
// it has answered 401. identity is the user's name, or "" for nobody in particular.
func (h *Hub) authorize(w *response, r *http.Request, t target, action string) (identity string, ok bool) {
	s := t.site
	switch s.Auth {
	case Open:
		return "", true
	case Basic:
		user, password, _ := r.BasicAuth()
		right, ended := s.login(user, password)
		if ended {
			fail(w, http.StatusForbidden, "DENIED", expired)
			return "", false
		}
		if right && (action == "" || len(s.grants(user, t.repo, []string{action})) > 0) {
			w.user(user)
			return user, true
		}
		w.Header().Set("WWW-Authenticate", `Basic realm="`+s.Service+`"`)
		fail(w, http.StatusUnauthorized, "UNAUTHORIZED", "authentication required")
		return "", false
	}
	problem := ""
	if kind, token, _ := strings.Cut(r.Header.Get("Authorization"), " "); strings.EqualFold(kind, "Bearer") {
		c, valid := h.verify(strings.TrimSpace(token), "access", s.Service)
		if valid && (action == "" || c.allows(t.repo, action)) {
			w.user(c.Subject)
			return c.Subject, true
		}
		problem = "invalid_token"
		if valid {
			problem = "insufficient_scope"
		}
	}
	w.Header().Set("WWW-Authenticate", s.challenge(r, t.repo, scopeActions(r), problem))
	fail(w, http.StatusUnauthorized, "UNAUTHORIZED", "authentication required")
	return "", false
}

func (c claims) allows(repo, action string) bool {
	return slices.ContainsFunc(c.Access, func(a access) bool {
		return a.Type == "repository" && a.Name == repo && (slices.Contains(a.Actions, action) || slices.Contains(a.Actions, "*"))
	})
}
