package outlook_test

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/nightpos/outlook-gateway/outlook"
)

// posts are the forms in which Graph is known to tell of changes.
var posts = map[string]struct {
	body string
	want []outlook.Notification
}{
	"a change": {
		`{"value":[{"id":"l","subscriptionId":"s1","subscriptionExpirationDateTime":"2026-11-28T11:00:00.0000000Z","clientState":"secret","changeType":"updated","resource":"Users/u/Events/e1","tenantId":"t","resourceData":{"@odata.type":"#Microsoft.Graph.Event","@odata.id":"Users/u/Events/e1","@odata.etag":"W/\"CQAAABYA\"","id":"e1"}}]}`,
		[]outlook.Notification{{
			SubscriptionID: "s1", ClientState: "secret", ChangeType: "updated", GraphID: "e1", ChangeKey: "CQAAABYA", TenantID: "t",
			Expires: time.Date(2026, 11, 28, 11, 0, 0, 0, time.UTC),
		}},
	},
	"no id, an offset, no etag": {
		`{"value":[{"subscriptionId":"s1","subscriptionExpirationDateTime":"2022-01-02T03:12:18.2257768+05:30","clientState":"c","changeType":"Created","resource":"users('u')/events('e')","resourceData":{"id":"e"}}]}`,
		[]outlook.Notification{{
			SubscriptionID: "s1", ClientState: "c", ChangeType: "created", GraphID: "e",
			Expires: time.Date(2022, 1, 1, 21, 42, 18, 225776800, time.UTC),
		}},
	},
	"no resource data": {
		`{"value":[{"subscriptionId":"s1","clientState":"c","changeType":"deleted","resourceData":null}]}`,
		[]outlook.Notification{{SubscriptionID: "s1", ClientState: "c", ChangeType: "deleted"}},
	},
	"changes and lifecycle together, one of them broken": {
		`{"value":[{"subscriptionId":"s1","clientState":"c","lifecycleEvent":"missed","organizationId":"t"},{"changeType":7},{"subscriptionId":"s2","clientState":"d","changeType":"updated","resourceData":{"id":"e2"}},{"changeType":"invented"}]}`,
		[]outlook.Notification{
			{SubscriptionID: "s1", ClientState: "c", Lifecycle: "missed", TenantID: "t"},
			{SubscriptionID: "s2", ClientState: "d", ChangeType: "updated", GraphID: "e2"},
		},
	},
	"the resource alone, in three ways": {
		`{"@odata.context":{"value":[1]},"VALUE":[
		{"subscriptionId":"s1","clientState":"c","changeType":"updated","resource":"Users/622eaaff@84bd8158/Events/AAMkAG=","resourceData":null},
		{"subscriptionId":"s1","clientState":"c","changeType":"updated","resource":"users('u')/events('AAMkAH=')"},
		{"subscriptionId":"s1","clientState":"c","changeType":"updated","resource":"users/u/messages/AAMkAI=","resourceData":{}}]}`,
		[]outlook.Notification{
			{SubscriptionID: "s1", ClientState: "c", ChangeType: "updated", GraphID: "AAMkAG="},
			{SubscriptionID: "s1", ClientState: "c", ChangeType: "updated", GraphID: "AAMkAH="},
			{SubscriptionID: "s1", ClientState: "c", ChangeType: "updated"},
		},
	},
	"nulls everywhere": {
		`{"value":[null,{"id":null,"subscriptionId":null,"clientState":null,"changeType":"updated","resource":null,"resourceData":{"id":null,"@odata.etag":null}},[],"x"]}`,
		[]outlook.Notification{{ChangeType: "updated"}},
	},
	"content without a token of its tenant": {
		`{"validationTokens":["x","e30.eyJ0aWQiOiJ1In0.e30"],"value":[{"clientState":"c","changeType":"updated","tenantId":"t","resourceData":{"id":"e","@odata.etag":"k"},"encryptedContent":{"data":"AAAA"}},{"clientState":"c","changeType":"updated","resourceData":{"id":"e","@odata.etag":"k"},"encryptedContent":7}]}`,
		[]outlook.Notification{
			{ClientState: "c", ChangeType: "updated", GraphID: "e", ChangeKey: "k", TenantID: "t"},
			{ClientState: "c", ChangeType: "updated", GraphID: "e", ChangeKey: "k"},
		},
	},
	"content with one, behind it": {
		`{"value":[{"clientState":"c","changeType":"updated","tenantId":"T","resourceData":{"id":"e","@odata.etag":"k"},"encryptedContent":{"data":"AAAA","dataKey":"CCCC"}}],"validationTokens":["e30.eyJ0aWQiOiJ0In0.e30"]}`,
		[]outlook.Notification{{
			ClientState: "c", ChangeType: "updated", GraphID: "e", ChangeKey: "k", TenantID: "T",
			Content: []byte(`{"content":{"data":"AAAA","dataSignature":"","dataKey":"CCCC","encryptionCertificateId":""},"token":"e30.eyJ0aWQiOiJ0In0.e30","tenant":"T"}`),
		}},
	},
	"nothing":       {`{"value":[]}`, []outlook.Notification{}},
	"absurd length": {`{"value":[{"clientState":"` + strings.Repeat("x", 5000) + `","changeType":"updated"}]}`, []outlook.Notification{}},
}

func TestParseNotifications(t *testing.T) {
	for name, post := range posts {
		t.Run(name, func(t *testing.T) {
			got, err := outlook.ParseNotifications([]byte(post.body))
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(post.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
	for _, body := range []string{"", "null", "[]", "{}", `{"value":null}`, `{"value":"x"}`, `{"value":[]`, `{"value":[]}x`, `{"value":[{]}`, `{"value":[],"value":[]}`, `{7:[]}`, "<html>", `{"value":[` + strings.Repeat("{},", 6000) + `{}]}`} {
		if got, err := outlook.ParseNotifications([]byte(body)); err == nil {
			t.Errorf("%.40q was taken for %d notifications, want an error", body, len(got))
		}
	}
}

func FuzzParseNotifications(f *testing.F) {
	for _, post := range posts {
		f.Add([]byte(post.body))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		notifications, err := outlook.ParseNotifications(body)
		if err != nil && len(notifications) > 0 {
			t.Errorf("%d notifications together with %v", len(notifications), err)
		}
		for _, notification := range notifications {
			if (notification.ChangeType == "") == (notification.Lifecycle == "") {
				t.Errorf("neither or both a change and a word about the subscription: %+v", notification)
			}
		}
	})
}
