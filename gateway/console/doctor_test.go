package console

import (
	"testing"

	"github.com/nightpos/outlook-gateway/gateway"
	"github.com/nightpos/outlook-gateway/gateway/findings"
	"github.com/nightpos/outlook-gateway/gateway/languages"
)

// TestFindingsAreInTheVisitorsLanguage: with days and the gateway's own sentences in
// it too. What another version of the gateway found stays English, and says so.
func TestFindingsAreInTheVisitorsLanguage(t *testing.T) {
	texts, err := languages.Read(catalogues, "catalogue")
	if err != nil {
		t.Fatal(err)
	}
	ends := gateway.Finding{
		Check: "gateway.certificate", Status: "warning",
		Detail: "the certificate of GATEWAY_PUBLIC_URL ends on 2028-11-22, in 3 days", Remedy: "renew it",
		Found:  findings.Phrase{Key: "gateway.certificate.ends", Values: map[string]string{"Day": "2028-11-22", "Count": "3"}},
		Advice: findings.Say("gateway.certificate.ends.todo"),
	}
	later := gateway.Finding{Check: "store.later", Status: "failed", Detail: "something new", Remedy: "do it", Found: findings.Say("later"), Advice: findings.Say("later.todo")}
	ready := gateway.Finding{
		Check: "gateway.ready", Status: "failed", Detail: "the running gateway says of the application: the application is not accepted by Microsoft",
		Found: findings.Say("gateway.ready.says", "Name", findings.Say("dependency.application"), "Sentence", "the application is not accepted by Microsoft"),
	}
	for _, one := range []struct {
		in             languages.Language
		found          gateway.Finding
		detail, remedy saying
	}{
		{languages.English, ends, saying{Text: "The certificate of GATEWAY_PUBLIC_URL ends on 22 Nov 2028, in 3 days"}, saying{Text: "Renew it, and find out why it was not renewed by itself"}},
		{languages.Thai, ends, saying{Text: "ใบรับรองของ GATEWAY_PUBLIC_URL หมดอายุวันที่ 22 พ.ย. 2571 อีก 3 วัน"}, saying{Text: "ต่ออายุใบรับรอง และหาสาเหตุว่าเหตุใดจึงไม่ต่ออายุเอง"}},
		{languages.English, later, saying{Text: "Something new"}, saying{Text: "Do it"}},
		{languages.Thai, later, saying{"Something new", "en"}, saying{"Do it", "en"}},
		{languages.English, ready, saying{Text: "The running gateway says of the application: Microsoft does not accept the application's id or secret."}, saying{}},
		{languages.Thai, ready, saying{Text: "เกตเวย์ที่ทำงานอยู่แจ้งเรื่องแอปพลิเคชัน: Microsoft ไม่ยอมรับรหัสหรือซีเคร็ตของแอปพลิเคชัน"}, saying{}},
	} {
		v := &view{console: &Console{texts: texts}, language: one.in}
		got := v.finding(one.found)
		if got.Detail != one.detail || got.Remedy != one.remedy {
			t.Errorf("in %s: got %+v and %+v, want %+v and %+v", one.in, got.Detail, got.Remedy, one.detail, one.remedy)
		}
	}
}
