package gateway

import "net/http"

// explanation is a page for a sign-in that failed: what happened, in plain words,
// and what to do.
type explanation struct {
	// numbers are Microsoft's AADSTS numbers that mean this, words those of RFC
	// 6749 or the gateway's own. Numbers are looked at first: they are finer. Both
	// choose words to show and nothing else.
	numbers []int
	words   []string
	status  int
	title   string
	text    string
	todo    string
	// shows is what there is to compare or to copy; detail names the failure's own.
	shows  []shown
	detail string
	// again offers to begin anew.
	again bool
	// stays: Microsoft mostly shows this on a page of its own and sends nobody
	// back, so that it is explained beforehand too.
	stays bool
}

// shown is something that a page shows along with its text.
type shown int

const (
	// showRedirect is the redirect URI, showClient the application's id,
	// showConsent the address at which an administrator consents for everybody.
	showRedirect shown = iota
	showClient
	showConsent
	// showDetail and showOwner are the failure's own.
	showDetail
	showOwner
)

const (
	forAdministrator = "An administrator of the gateway has to mend this; until then nobody can connect. Show them this page."
	tryAgain         = "Begin anew, from NightPOS or with your connect link."
)

// explanations follow the table of Microsoft's error codes.
var explanations = []explanation{
	{
		numbers: []int{90094, 65001}, words: []string{"consent_required"}, status: http.StatusForbidden, again: true, shows: []shown{showConsent, showClient},
		title: "Your organization has to agree first",
		text:  "Microsoft does not let you give an application access to your calendar by yourself: an administrator of your organization's Microsoft 365 has to agree once, for everybody.",
		todo:  "Send this address to that administrator, and connect again afterwards.",
	},
	{
		numbers: []int{90095}, status: http.StatusForbidden, again: true,
		title: "Your administrator has been asked", text: "Microsoft has sent your request to an administrator of your organization.",
		todo: "Connect again once it is approved; Microsoft sends you a mail.",
	},
	{
		numbers: []int{65004}, words: []string{"access_denied"}, status: http.StatusForbidden, again: true,
		title: "You did not agree", text: "Outlook was not connected, because access to your calendar was declined. Nothing was changed.",
		todo: "If that was a mistake, begin anew and choose Accept.",
	},
	{
		numbers: []int{50194}, status: http.StatusBadGateway, stays: true, shows: []shown{showClient},
		title: "The application belongs to one organization",
		text:  "The application is registered in Entra for a single tenant, but the gateway sends people to the sign-in for all.",
		todo:  "Set MICROSOFT_TENANT to that tenant's id, or allow accounts of any organization in the registration. " + forAdministrator,
	},
	{
		numbers: []int{50011, 500112}, status: http.StatusBadGateway, stays: true, shows: []shown{showRedirect, showClient},
		title: "The redirect URI does not match", text: "The address that Microsoft should send you back to is not registered with the application.",
		todo: "Register exactly this address in Entra, under Authentication, as a redirect URI of the kind Web. " + forAdministrator,
	},
	{
		numbers: []int{7000222}, status: http.StatusBadGateway, shows: []shown{showClient},
		title: "The client secret has expired", text: "Microsoft no longer accepts the secret of the gateway's application.",
		todo: "Make a new client secret in Entra, under Certificates & secrets, and set MICROSOFT_CLIENT_SECRET to its value. " + forAdministrator,
	},
	{
		numbers: []int{7000215}, status: http.StatusBadGateway, shows: []shown{showClient},
		title: "The client secret is wrong", text: "Microsoft does not accept the secret of the gateway's application.",
		todo: "Set MICROSOFT_CLIENT_SECRET to the value of the secret, not to its id. " + forAdministrator,
	},
	{
		numbers: []int{7000218}, status: http.StatusBadGateway, shows: []shown{showClient},
		title: "There is no client secret", text: "Microsoft was shown neither a client secret nor a certificate.",
		todo: "Set MICROSOFT_CLIENT_SECRET, and check that the redirect URI is registered as Web. " + forAdministrator,
	},
	{
		numbers: []int{700027}, status: http.StatusBadGateway, shows: []shown{showClient},
		title: "The certificate is not accepted", text: "The gateway's certificate is not registered with the application, or has expired.",
		todo: "Upload the certificate in Entra, under Certificates & secrets. " + forAdministrator,
	},
	{
		numbers: []int{7000112}, status: http.StatusBadGateway, shows: []shown{showClient},
		title: "The application is disabled", text: "Somebody has disabled the gateway's application in Entra.",
		todo: "Enable it under Enterprise applications, Properties. " + forAdministrator,
	},
	{
		numbers: []int{700016}, words: []string{"unauthorized_client"}, status: http.StatusBadGateway, stays: true, shows: []shown{showClient},
		title: "Microsoft does not know the application", text: "There is no application with the gateway's client id in that directory.",
		todo: "Check MICROSOFT_CLIENT_ID and MICROSOFT_TENANT. " + forAdministrator,
	},
	{
		numbers: []int{700084}, status: http.StatusBadGateway, shows: []shown{showRedirect, showClient},
		title: "The redirect URI is of the wrong kind", text: "The address is registered as that of a single-page application.",
		todo: "Register it in Entra as a redirect URI of the kind Web instead. " + forAdministrator,
	},
	{
		numbers: []int{9001023, 90002}, status: http.StatusBadGateway,
		title: "The tenant does not serve this sign-in", text: "The tenant that the gateway is set to does not take this kind of sign-in.",
		todo: "Set MICROSOFT_TENANT to the id of your tenant. " + forAdministrator,
	},
	{
		numbers: []int{70011, 700022}, words: []string{"invalid_scope", "invalid_resource"}, status: http.StatusBadGateway,
		title: "Microsoft does not know what is asked for", text: "The permissions that the gateway asks for do not exist in this cloud.",
		todo: "Check MICROSOFT_LOGIN_URL and MICROSOFT_GRAPH_URL: they must be of the same cloud. " + forAdministrator,
	},
	{
		words: []string{"invalid_client"}, status: http.StatusBadGateway, shows: []shown{showClient},
		title: "Microsoft does not accept the application", text: "The client id and the secret of the gateway's application do not go together.",
		todo: "Check MICROSOFT_CLIENT_ID and MICROSOFT_CLIENT_SECRET. " + forAdministrator,
	},
	{
		numbers: []int{50105}, status: http.StatusForbidden, again: true, shows: []shown{showClient},
		title: "You are not assigned to the application", text: "Your organization lets only chosen people use this application, and you are not among them.",
		todo: "Ask your Microsoft 365 administrator to assign you under Enterprise applications, Users and groups.",
	},
	{
		numbers: []int{53003}, status: http.StatusForbidden, again: true,
		title: "A rule of your organization forbids it", text: "Conditional access of your organization keeps the gateway out.",
		todo: "Ask your Microsoft 365 administrator to allow it for this application.",
	},
	{
		numbers: []int{50057, 50034, 50053, 50055}, status: http.StatusForbidden, again: true,
		title: "Your Microsoft account cannot sign in", text: "The account is disabled or locked, its password has expired, or it no longer exists.",
		todo: "Ask your Microsoft 365 administrator.",
	},
	{
		numbers: []int{50074, 50076, 50078, 50079, 70043, 50058}, words: []string{"interaction_required", "login_required"}, status: http.StatusForbidden, again: true,
		title: "Microsoft wants you to sign in again", text: "Your organization asks for another step, such as a code from your telephone.",
		todo: tryAgain,
	},
	{
		numbers: []int{54005, 70008, 70000, 700082, 50173, 501481, 700005, 9002313, 50147}, words: []string{"invalid_grant"}, status: http.StatusBadRequest, again: true,
		title: "This sign-in is no longer good", text: "It took too long, was used already, or was finished by another browser than began it.",
		todo: tryAgain,
	},
	{
		numbers: []int{50196}, status: http.StatusTooManyRequests, again: true,
		title: "Microsoft has seen this sign-in too often", text: "The same sign-in was begun over and over within a short time.",
		todo: "Wait some minutes, then begin anew.",
	},
	{
		numbers: []int{90033, 90006, 50033}, words: []string{"temporarily_unavailable", "server_error", failureBusy}, status: http.StatusServiceUnavailable, again: true,
		title: "That did not work just now", text: "Microsoft, NightPOS or the gateway's own store could not be reached. Nothing was changed.",
		todo: "Try again in some minutes.",
	},
	{
		numbers: []int{900144}, words: []string{"invalid_request", "unsupported_response_type"}, status: http.StatusBadGateway, shows: []shown{showRedirect, showClient},
		title: "Microsoft did not understand the gateway", text: "The request for your consent was refused as malformed.",
		todo: forAdministrator,
	},
	{
		words: []string{FailureScopes}, status: http.StatusForbidden, again: true, shows: []shown{showDetail, showClient}, detail: "Not granted",
		title: "You agreed to less than is needed", text: "The gateway has to know whose mailbox it is, to read and change its calendar, and to go on while you are away. Nothing was connected.",
		todo: "Begin anew and accept everything that is asked for; if something is greyed out, ask your Microsoft 365 administrator.",
	},
	{
		words: []string{FailureMailboxTaken}, status: http.StatusConflict, again: true, shows: []shown{showDetail, showOwner}, detail: "Mailbox",
		title: "This mailbox is somebody else's", text: "The mailbox that you chose belongs to another person in NightPOS, by its address or because it is connected there. One mailbox cannot be two people's calendar. Nothing was changed.",
		todo: "Begin anew and choose your own account. If it is yours, ask that person, or an administrator of NightPOS, to disconnect it there or to mend the address.",
	},
	{
		words: []string{FailureOtherMailbox}, status: http.StatusConflict, again: true, shows: []shown{showDetail}, detail: "Connected mailbox",
		title: "You are connected with another mailbox", text: "Your NightPOS calendar is kept in step with the mailbox below, and stays so.",
		todo: "Begin anew and choose that account. To change to another mailbox, have an administrator disconnect you first.",
	},
	{
		words: []string{FailureBuiltIn}, status: http.StatusConflict,
		title: "NightPOS's own Outlook sync is still on", text: "Two syncs between the same calendars would double your meetings.",
		todo: "In NightPOS open your calendar, choose the Outlook button and Stop Synchronization; or have an administrator do it under Users, Calendar, Reset Account. Then connect again.",
	},
	{
		words: []string{failureState}, status: http.StatusBadRequest, again: true,
		title: "This sign-in is not known", text: "It was used already, is more than a quarter of an hour old, or was not begun here. Going back or reloading brings up one that was used.",
		todo: "If you saw that your calendar is connected, all is well. Otherwise begin anew, from NightPOS or with your connect link.",
	},
	{
		words: []string{failureBrowser}, status: http.StatusBadRequest, again: true,
		title: "Another browser began this", text: "A sign-in has to be finished in the browser that began it, with cookies allowed.",
		todo: tryAgain,
	},
	{
		words: []string{failurePerson}, status: http.StatusForbidden, again: true,
		title: "Somebody else is signed in to NightPOS now", text: "This browser began to connect one person's calendar, and that person is not signed in any more. Nothing was connected.",
		todo: "Sign in to NightPOS as yourself and begin anew.",
	},
	{
		words: []string{failureGone}, status: http.StatusGone,
		title: "There is no such person in NightPOS any more", text: "The calendar that was to be connected belongs to a user who was archived or removed.",
		todo: "Ask an administrator of NightPOS.",
	},
	{
		words: []string{failureForeign}, status: http.StatusForbidden,
		title: "Another site asked for this", text: "A calendar can be connected from the gateway's own page only. Nothing was changed.",
		todo: "Open the link that you were sent, and use the button there.",
	},
	{
		words: []string{failureLink}, status: http.StatusGone,
		title: "This link is no longer good", text: "A connect link works once and for a day, and only if the whole of it was copied.",
		todo: "If your calendar is connected, all is well. Otherwise ask whoever sent the link for a new one.",
	},
	{
		words: []string{failureSession}, status: http.StatusUnauthorized,
		title: "Who are you?", text: "You are not signed in to NightPOS in this browser.",
		todo: "Sign in to NightPOS and come back, or ask an administrator for a connect link.",
	},
	{
		words: []string{failureOther}, status: http.StatusForbidden, shows: []shown{showDetail}, detail: "The link is for",
		title: "This link is for somebody else", text: "You are signed in to NightPOS as another person than the one whose calendar this link connects.",
		todo: "Connect your own calendar from NightPOS. If you are both, sign out of NightPOS first.",
	},
}

// unexplained is for what Microsoft may invent.
var unexplained = explanation{
	status: http.StatusBadGateway, again: true,
	title: "Microsoft refused the sign-in", text: "Outlook was not connected, for a reason that the gateway does not know. Nothing was changed.",
	todo: "Begin anew. If that does not help, show this page to an administrator of the gateway.",
}

// explain finds the page for a failure.
func explain(failure SignInFailure) explanation {
	for _, one := range explanations {
		for _, number := range one.numbers {
			if number == failure.Number {
				return one
			}
		}
	}
	for _, one := range explanations {
		for _, word := range one.words {
			if word == failure.Word {
				return one
			}
		}
	}
	return unexplained
}
