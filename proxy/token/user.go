package token

import (
	"crypto/sha256"
	"net/url"
	"strings"
	"time"
)

// owner is whose token one is that was forwarded to a client.
type owner struct {
	user  string
	until time.Time
}

// maxOwners bounds them.
const maxOwners = 1024

// UserOf names the user for whom the token of a Bearer Authorization was
// fetched through [Keeper.Forward]; "" if nobody knows. Registries count pulls
// by user, and their tokens do not say whose they are.
func (k *Keeper) UserOf(authorization string) string {
	scheme, token, _ := strings.Cut(authorization, " ")
	if !strings.EqualFold(scheme, Bearer) {
		return ""
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	o, _ := k.owners.Get(k.hash(token))
	return o.user
}

// hash stands for a token in memory.
func (k *Keeper) hash(token string) [sha256.Size]byte {
	return sha256.Sum256(append(append([]byte(nil), k.salt...), token...))
}

// owned remembers whose token an answer to a client's request holds.
func (k *Keeper) owned(s Site, a *Answer, authorization string, form url.Values) {
	user := form.Get("username")
	if c, ok := FromBasic(authorization); ok {
		user = c.Username
	}
	if user == "" || a.Status != 200 {
		return
	}
	t, err := a.token(s, k.now())
	if err != nil {
		return
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	k.owners.Put(k.hash(t.token), owner{user, k.now().Add(maxLife)})
}
