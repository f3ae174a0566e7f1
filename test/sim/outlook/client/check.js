// Drives a Graph server with Microsoft's own JavaScript client and compares
// what comes back with what the client's users rely on. Exits 1 on the first
// mismatch.
//
// Environment: GRAPH_URL (https, without the version), GRAPH_TOKEN, and
// NOTIFICATION_URL, an endpoint that answers validations and shows on GET, as a
// JSON list, the notifications that it was sent.

import assert from "node:assert/strict";
import graph from "@microsoft/microsoft-graph-client";

const { BatchRequestContent, BatchResponseContent, Client, GraphError, PageIterator } = graph;

const { GRAPH_URL, GRAPH_TOKEN, NOTIFICATION_URL } = process.env;
assert.ok(GRAPH_URL && GRAPH_TOKEN && NOTIFICATION_URL, "GRAPH_URL, GRAPH_TOKEN and NOTIFICATION_URL must be set");

const client = Client.init({
  authProvider: (done) => done(null, GRAPH_TOKEN),
  baseUrl: GRAPH_URL + "/",
  customHosts: new Set([new URL(GRAPH_URL).hostname]),
});

const property = "String {66f5a359-4659-4830-9070-00047ec6ac6e} Name NightPOSRecord";
const windowQuery = { startDateTime: "2026-12-01T00:00:00Z", endDateTime: "2027-01-01T00:00:00Z" };

const meeting = (day, subject) => ({
  subject,
  start: { dateTime: `2026-12-${String(day).padStart(2, "0")}T09:00:00`, timeZone: "Europe/Berlin" },
  end: { dateTime: `2026-12-${String(day).padStart(2, "0")}T10:00:00`, timeZone: "Europe/Berlin" },
});

// refusal returns the GraphError that a call must end in.
async function refusal(call) {
  try {
    await call;
  } catch (error) {
    assert.ok(error instanceof GraphError, `not a GraphError: ${error}`);
    return error;
  }
  assert.fail("the call was not refused");
}

const steps = {
  async "retries what was throttled"() {
    // The first call to this route is answered 429 with Retry-After by the test.
    const calendars = await client.api("/me/calendars").get();
    assert.equal(calendars.value.length, 1);
    assert.equal(calendars.value[0].isDefaultCalendar, true);
  },

  async "knows who is signed in"() {
    const me = await client.api("/me").select("id,userPrincipalName").get();
    assert.equal(me.userPrincipalName, "alice@nightpos.example");
    assert.match(me.id, /^[0-9a-f-]{36}$/);
  },

  async "creates, reads, changes and deletes an event"() {
    const made = await client
      .api("/me/events")
      .header("Prefer", 'outlook.timezone="W. Europe Standard Time"')
      .post({ ...meeting(1, "Tasting"), body: { contentType: "html", content: "<p>Bring <b>glasses</b></p>" }, singleValueExtendedProperties: [{ id: property, value: "42" }] });
    assert.deepEqual(made.start, { dateTime: "2026-12-01T09:00:00.0000000", timeZone: "W. Europe Standard Time" });
    assert.equal(made.bodyPreview, "Bring glasses");

    const found = await client
      .api("/me/events")
      .filter(`singleValueExtendedProperties/Any(ep: ep/id eq '${property}' and ep/value eq '42')`)
      .expand(`singleValueExtendedProperties($filter=id eq '${property}')`)
      .select(["id", "subject"])
      .get();
    assert.deepEqual(found.value.map((event) => [event.id, event.singleValueExtendedProperties]), [[made.id, [{ id: property, value: "42" }]]]);

    const changed = await client.api(`/me/events/${made.id}`).header("If-Match", made["@odata.etag"]).patch({ subject: "Wine" });
    assert.equal(changed.subject, "Wine");
    assert.notEqual(changed.changeKey, made.changeKey);
    const stale = await refusal(client.api(`/me/events/${made.id}`).header("If-Match", made["@odata.etag"]).patch({ subject: "Beer" }));
    assert.deepEqual([stale.statusCode, stale.code], [412, "ErrorIrresolvableConflict"]);

    await client.api(`/me/events/${made.id}`).delete();
    const gone = await refusal(client.api(`/me/events/${made.id}`).get());
    assert.deepEqual([gone.statusCode, gone.code], [404, "ErrorItemNotFound"]);
    assert.match(JSON.parse(gone.body).innerError["request-id"], /^[0-9a-f-]{36}$/);
    const malformed = await refusal(client.api("/me/events/42").get());
    assert.deepEqual([malformed.statusCode, malformed.code], [400, "ErrorInvalidIdMalformed"]);
  },

  async "makes a batch whose items depend on each other"() {
    // The client strips scheme and host of each address.
    const request = (path, options) => new Request(`https://graph.example${path}`, options);
    const json = { "Content-Type": "application/json" };
    const content = new BatchRequestContent([
      { id: "1", request: request("/me/events", { method: "POST", headers: json, body: JSON.stringify(meeting(2, "First")) }) },
      { id: "2", dependsOn: ["1"], request: request("/me/events", { method: "POST", headers: json, body: JSON.stringify(meeting(3, "Second")) }) },
      { id: "3", dependsOn: ["2"], request: request("/me/events?$select=subject&$orderby=start/dateTime", { method: "GET" }) },
    ]);
    const responses = new BatchResponseContent(await client.api("/$batch").post(await content.getContent()));
    assert.equal(responses.getResponseById("1").status, 201);
    assert.equal(responses.getResponseById("2").status, 201);
    const listed = await responses.getResponseById("3").json();
    assert.deepEqual(listed.value.map((event) => event.subject), ["First", "Second"]);

    const failing = new BatchRequestContent([
      { id: "a", request: request("/me/events/42", { method: "DELETE" }) },
      { id: "b", dependsOn: ["a"], request: request("/me", { method: "GET" }) },
    ]);
    const failed = new BatchResponseContent(await client.api("/$batch").post(await failing.getContent()));
    assert.equal(failed.getResponseById("a").status, 400);
    assert.equal(failed.getResponseById("b").status, 424);
  },

  async "pages through a calendar view"() {
    for (let day = 4; day <= 28; day++) {
      await client.api("/me/calendar/events").post(meeting(day, `Day ${day}`));
    }
    const first = await client.api("/me/calendarView").query(windowQuery).top(6).get();
    assert.equal(first.value.length, 6);
    const subjects = [];
    await new PageIterator(client, first, (event) => subjects.push(event.subject)).iterate();
    assert.equal(subjects.length, 27);
    assert.deepEqual(subjects.slice(0, 3), ["First", "Second", "Day 4"]);
  },

  async "follows delta"() {
    const round = async (link) => {
      const pages = new PageIterator(client, await link.header("Prefer", "odata.maxpagesize=10").get(), (item) => items.push(item), {
        headers: { Prefer: "odata.maxpagesize=10" },
      });
      const items = [];
      await pages.iterate();
      return { items, deltaLink: pages.getDeltaLink() };
    };
    const first = await round(client.api("/me/calendarView/delta").query(windowQuery));
    assert.equal(first.items.length, 27);
    const [changed, removed] = first.items;
    await client.api(`/me/events/${changed.id}`).patch({ subject: "Changed" });
    await client.api(`/me/events/${removed.id}`).delete();
    const second = await round(client.api(first.deltaLink));
    assert.deepEqual(second.items.map((item) => [item.id, item.subject, item["@removed"]]), [
      [changed.id, "Changed", undefined],
      [removed.id, undefined, { reason: "deleted" }],
    ]);
    const refused = await refusal(client.api("/me/calendarView/delta").query(windowQuery).select("subject").get());
    assert.equal(refused.statusCode, 400);
  },

  async "keeps a series"() {
    const rule = { pattern: { type: "weekly", interval: 1, daysOfWeek: ["monday"], firstDayOfWeek: "monday" }, range: { type: "numbered", startDate: "2027-03-15", numberOfOccurrences: 4 } };
    const zone = "W. Europe Standard Time";
    const master = await client.api("/me/events").post({
      subject: "Weekly",
      start: { dateTime: "2027-03-15T09:00:00", timeZone: zone },
      end: { dateTime: "2027-03-15T10:00:00", timeZone: zone },
      recurrence: rule,
    });
    assert.deepEqual([master.type, master.recurrence.range.endDate, master.recurrence.pattern.index], ["seriesMaster", "0001-01-01", "first"]);

    const seriesWindow = { startDateTime: "2027-03-01T00:00:00Z", endDateTime: "2027-05-01T00:00:00Z" };
    const instances = async () => {
      const first = await client.api(`/me/events/${master.id}/instances`).query(seriesWindow).select(["type", "start", "seriesMasterId"]).top(3).get();
      const found = [];
      await new PageIterator(client, first, (event) => found.push(event)).iterate();
      return found.sort((a, b) => a.start.dateTime.localeCompare(b.start.dateTime));
    };
    const before = await instances();
    assert.deepEqual(before.map((event) => event.start.dateTime.slice(0, 16)), ["2027-03-15T08:00", "2027-03-22T08:00", "2027-03-29T07:00", "2027-04-05T07:00"]);

    const moved = await client.api(`/me/events/${before[1].id}`).patch({ start: { dateTime: "2027-03-23T09:00:00", timeZone: zone }, end: { dateTime: "2027-03-23T10:00:00", timeZone: zone } });
    assert.deepEqual([moved.id, moved.type, moved.seriesMasterId, moved.originalStart], [before[1].id, "exception", master.id, "2027-03-22T08:00:00.0000000Z"]);
    const crossing = await refusal(client.api(`/me/events/${before[2].id}`).patch({ start: { dateTime: "2027-03-23T12:00:00", timeZone: zone }, end: { dateTime: "2027-03-23T13:00:00", timeZone: zone } }));
    assert.deepEqual([crossing.statusCode, crossing.code], [400, "ErrorOccurrenceCrossingBoundary"]);
    await client.api(`/me/events/${before[3].id}`).delete();
    assert.deepEqual((await instances()).map((event) => [event.id, event.type]), [[before[0].id, "occurrence"], [before[1].id, "exception"], [before[2].id, "occurrence"]]);

    const read = await client.api(`/me/events/${master.id}`).select(["subject", "cancelledOccurrences", "exceptionOccurrences"]).expand("exceptionOccurrences").get();
    assert.deepEqual(read.cancelledOccurrences, [`OID.${master.id}.2027-04-05`]);
    assert.deepEqual(read.exceptionOccurrences.map((event) => event.id), [before[1].id]);

    const shown = await client.api("/me/calendarView").query(seriesWindow).get();
    assert.deepEqual(shown.value.map((event) => event.type), ["occurrence", "exception", "occurrence"]);
    const round = await client.api("/me/calendarView/delta").query(seriesWindow).get();
    assert.deepEqual(round.value.map((event) => event.type).sort(), ["exception", "occurrence", "occurrence", "seriesMaster"]);
    const single = await client.api(`/me/events/${master.id}`).patch({ recurrence: null });
    assert.deepEqual([single.id, single.type, single.recurrence], [master.id, "singleInstance", null]);
    await client.api(`/me/events/${master.id}`).delete();
  },

  async "keeps calendars apart"() {
    const calendar = await client.api("/me/calendars").post({ name: "Football" });
    assert.deepEqual([calendar.name, calendar.isDefaultCalendar, calendar.owner.address], ["Football", false, "alice@nightpos.example"]);
    const made = await client.api(`/me/calendars/${calendar.id}/events`).post({ ...meeting(30, "Match"), singleValueExtendedProperties: [{ id: property, value: "7" }] });
    const read = await client
      .api(`/me/events/${made.id}`)
      .expand(["calendar($select=id,isDefaultCalendar)", `singleValueExtendedProperties($filter=id eq '${property}')`])
      .get();
    assert.deepEqual([read.calendar, read.singleValueExtendedProperties], [{ id: calendar.id, isDefaultCalendar: false }, [{ id: property, value: "7" }]]);
    assert.equal((await client.api(`/me/events/${made.id}/calendar`).get()).id, calendar.id);
    const shown = await client.api("/me/events").filter("subject eq 'Match'").get();
    assert.deepEqual(shown.value, []);
    const elsewhere = await refusal(client.api(`/me/calendar/events/${made.id}`).get());
    assert.deepEqual([elsewhere.statusCode, elsewhere.code], [404, "ErrorItemNotFound"]);
    await client.api(`/me/calendars/${calendar.id}`).delete();
    assert.equal((await refusal(client.api(`/me/calendars/${calendar.id}`).get())).statusCode, 404);
  },

  async "manages a subscription and is notified"() {
    const wanted = {
      changeType: "created,updated,deleted",
      notificationUrl: NOTIFICATION_URL,
      lifecycleNotificationUrl: NOTIFICATION_URL,
      resource: "/me/events",
      expirationDateTime: new Date(Date.now() + 3600e3).toISOString(),
      clientState: "a secret",
    };
    const made = await client.api("/subscriptions").post(wanted);
    assert.equal(made.clientState, "a secret");
    const event = await client.api("/me/events").post(meeting(29, "Notified"));
    let received = [];
    for (let attempt = 0; attempt < 200 && received.length === 0; attempt++) {
      await new Promise((resolve) => setTimeout(resolve, 25));
      received = await (await fetch(NOTIFICATION_URL)).json();
    }
    assert.ok(received.some((notification) => notification.resourceData.id === event.id && notification.changeType === "created" && notification.clientState === "a secret"), JSON.stringify(received));

    const listed = await client.api("/subscriptions").get();
    assert.deepEqual(listed.value.map((subscription) => [subscription.id, subscription.clientState]), [[made.id, null]]);
    const expirationDateTime = new Date(Date.now() + 7200e3).toISOString();
    const renewed = await client.api(`/subscriptions/${made.id}`).patch({ expirationDateTime });
    assert.equal(Date.parse(renewed.expirationDateTime), Date.parse(expirationDateTime));
    await client.api(`/subscriptions/${made.id}/reauthorize`).post({});
    await client.api(`/subscriptions/${made.id}`).delete();
    assert.equal((await refusal(client.api(`/subscriptions/${made.id}`).get())).statusCode, 404);
    const unreachable = await refusal(client.api("/subscriptions").post({ ...wanted, notificationUrl: `${NOTIFICATION_URL}/nowhere` }));
    assert.deepEqual([unreachable.statusCode, unreachable.code], [400, "ValidationError"]);
  },
};

for (const [name, step] of Object.entries(steps)) {
  try {
    await step();
    console.log(`ok      ${name}`);
  } catch (error) {
    console.error(`failed  ${name}\n${error.stack ?? error}\n${error.body ?? ""}`);
    process.exit(1);
  }
}
