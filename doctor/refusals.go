package doctor

import (
	"strconv"

	"github.com/nightpos/outlook-gateway/gateway/findings"
	"github.com/nightpos/outlook-gateway/outlook"
)

// refusals are the AADSTS numbers with which Microsoft refuses an application or a
// tenant, as against a person. Their texts are those of outlook's own errors.
var refusals = map[int]findings.Phrase{
	50011:   findings.Say("refusal.redirect"),
	50194:   findings.Say("refusal.tenant"),
	50196:   findings.Say("refusal.repeated"),
	70011:   findings.Say("refusal.scope"),
	90002:   findings.Say("refusal.no_tenant"),
	700016:  findings.Say("refusal.unknown"),
	700027:  findings.Say("refusal.certificate"),
	700084:  findings.Say("refusal.single_page"),
	7000112: findings.Say("refusal.disabled"),
	7000215: findings.Say("refusal.secret"),
	7000218: findings.Say("refusal.no_secret"),
	7000222: findings.Say("refusal.expired"),
	9001023: findings.Say("refusal.path"),
}

// refusal is what an error of Microsoft's sign-in means.
func refusal(refused *outlook.SignInError) findings.Phrase {
	code := refused.Word
	if refused.Number != 0 {
		code += ", AADSTS" + strconv.Itoa(refused.Number)
	}
	meaning, known := refusals[refused.Number]
	if !known {
		return findings.Say("refusal.other", "Code", code)
	}
	return findings.Say("refusal", "Meaning", meaning, "Code", code)
}

// refusalAdvice is what to do about it.
func refusalAdvice(number int) findings.Phrase {
	switch number {
	case 700016:
		return findings.Say("refusal.unknown.todo")
	case 7000215, 7000218:
		return findings.Say("refusal.secret.todo")
	case 7000222:
		return findings.Say("secret.todo")
	case 7000112:
		return findings.Say("refusal.disabled.todo")
	case 700027:
		return findings.Say("refusal.certificate.todo")
	case 50194:
		return findings.Say("refusal.tenant.todo")
	case 50011:
		return findings.Say("refusal.redirect.todo")
	}
	return findings.Say("refusal.todo")
}
