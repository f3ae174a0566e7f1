"""Expands series the way each calendar does, with python-dateutil.

Reads questions as JSON, one a line, and answers each with one line:

  {"side": "outlook", "recurrence": {...}, "zone": IANA name, "clock": "HH:MM", "limit": n}
      a patternedRecurrence of Graph; answers {"starts": [...]}.
  {"side": "nightpos", "values": {...}, "start": UTC start, "allday": bool,
   "wkst": 0-6 from Monday, "version": 17 or 18, "limit": n}
      the fields that a series was created with; answers {"starts": [...], "row": {...}},
      the row as calendar.recurrence reads back.

Starts are UTC, "YYYY-MM-DDTHH:MM"; whole days are dates at 00:00.
"""

import calendar
import itertools
import json
import sys
from datetime import datetime, time, timezone
from functools import lru_cache
from zoneinfo import ZoneInfo

from dateutil import rrule

DAYS = ["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"]
FIELDS = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
INDEXES = {"first": 1, "second": 2, "third": 3, "fourth": 4, "last": -1}
LIMIT = 720

zone_of = lru_cache(maxsize=None)(ZoneInfo)


def instant(wall, zone):
    """The later of two, and as much later as the clock was put forward."""
    # Of a time that is skipped, fold 0 reckons with the clock as it was before.
    early, late = (wall.replace(tzinfo=zone, fold=fold).astimezone(timezone.utc) for fold in (0, 1))
    return max(early, late)


def pytz_instant(wall, zone):
    """As pytz with is_dst=False, whose tables end with 2037."""
    if wall.year > 2037:
        return (wall - datetime(2037, 12, 31, 12, tzinfo=zone).utcoffset()).replace(tzinfo=timezone.utc)
    return instant(wall, zone)


def written(moment):
    return moment.strftime("%Y-%m-%dT%H:%M")


def outlook_dates(recurrence):
    pattern, span = recurrence["pattern"], recurrence["range"]
    start = datetime.fromisoformat(span["startDate"])
    kind = pattern["type"].lower()
    options = {"dtstart": start, "interval": pattern["interval"]}
    if span["type"] == "numbered":
        options["count"] = span["numberOfOccurrences"]
    elif span["type"] == "endDate":
        options["until"] = datetime.fromisoformat(span["endDate"])
    yearly = kind.endswith("yearly")
    if yearly:
        options["bymonth"] = pattern["month"]
    if kind.startswith("absolute"):
        day = pattern["dayOfMonth"]
        # A day that the month does not have is the month's last.
        options["bymonthday"] = list(range(min(day, 28), day + 1))
        options["bysetpos"] = -1
    elif kind != "daily":
        options["byweekday"] = [DAYS.index(day.lower()) for day in pattern["daysOfWeek"]]
        options["wkst"] = DAYS.index(pattern.get("firstDayOfWeek", "sunday").lower())
        if kind.startswith("relative"):
            options["bysetpos"] = INDEXES[pattern.get("index", "first")]
    frequency = rrule.YEARLY if yearly else {"daily": rrule.DAILY, "weekly": rrule.WEEKLY}.get(kind, rrule.MONTHLY)
    found = rrule.rrule(frequency, **options)
    if kind.startswith("absolute"):
        step = pattern["interval"] * (12 if yearly else 1)
        clamped = by_arithmetic(start, step, pattern["dayOfMonth"], options.get("until"), options.get("count"))
        found = checked(found, clamped)
    return found


def by_arithmetic(start, step, day, until, count):
    """Days of months, clamped, without any rule."""
    made = 0
    for month in itertools.count(start.year * 12 + start.month - 1, step):
        year, month = divmod(month, 12)
        if year > 9999 or made == count:
            return
        date = datetime(year, month + 1, min(day, calendar.monthrange(year, month + 1)[1]))
        if until and date > until:
            return
        if date >= start:
            made += 1
            yield date


def checked(found, again):
    for left, right in itertools.zip_longest(found, again):
        assert left == right, (left, right)
        yield left


def outlook(question):
    dates = itertools.islice(outlook_dates(question["recurrence"]), question["limit"])
    if not question["zone"]:
        return {"starts": [written(date) for date in dates]}
    clock, zone = time.fromisoformat(question["clock"]), zone_of(question["zone"])
    return {"starts": [written(instant(datetime.combine(date, clock), zone)) for date in dates]}


def nightpos(question):
    values, version, allday = question["values"], question["version"], question["allday"]
    zone = zone_of(values["event_tz"])
    utc = datetime.fromisoformat(question["start"])
    local = utc if allday else utc.replace(tzinfo=timezone.utc).astimezone(zone).replace(tzinfo=None)
    kind, interval = values["rrule_type"], values["interval"]
    row = {
        "rrule_type": kind, "interval": interval, "month_by": values.get("month_by", "date"), "day": values.get("day", 1),
        "byday": values.get("byday", False), "weekday": values.get("weekday", False), "event_tz": values["event_tz"],
        "dtstart": utc.strftime("%Y-%m-%d %H:%M:%S"), "until": values.get("until", False),
    }
    row.update({field: values.get(field, False) for field in FIELDS})
    options = {"interval": interval}
    if kind == "monthly" and row["month_by"] == "date":
        options["bymonthday"] = row["day"]
    elif kind == "monthly":
        weekday = FIELDS.index(row["weekday"].lower())
        options["byweekday"] = rrule.weekday(weekday)(int(row["byday"]))
    elif kind == "weekly":
        options["byweekday"] = [index for index, field in enumerate(FIELDS) if row[field]]
        assert options["byweekday"], "You have to choose at least one day in the week"
        options["wkst"] = rrule.weekday(question["wkst"])
    if values["end_type"] == "end_date":
        row["end_type"], row["count"] = "end_date", 0
        options["until"] = datetime.combine(datetime.fromisoformat(values["until"]), time.max)
    else:
        row["end_type"], row["count"] = "count", min(values.get("count", LIMIT), LIMIT)
        options["count"] = row["count"]
    frequency = {"daily": rrule.DAILY, "weekly": rrule.WEEKLY, "monthly": rrule.MONTHLY, "yearly": rrule.YEARLY}[kind]
    row["rrule"] = str(rrule.rrule(frequency, dtstart=utc, **options))
    if kind == "yearly" and version < 18:
        row.update({"rrule_type": "monthly", "interval": 12 * interval, "month_by": "date", "day": utc.day})
    dates = list(itertools.islice(rrule.rrule(frequency, dtstart=local, **options), question["limit"]))
    assert dates and dates[0] == local, "the first event is not on the rule: it would be archived"
    starts = dates if allday else [pytz_instant(date, zone) for date in dates]
    return {"starts": [written(start) for start in starts], "row": row}


def main():
    answers = {"outlook": outlook, "nightpos": nightpos}
    for line in sys.stdin:
        question = json.loads(line)
        try:
            answer = answers[question["side"]](question)
        except Exception as error:  # told in the test, beside the question
            answer = {"error": f"{type(error).__name__}: {error}"}
        sys.stdout.write(json.dumps(answer) + "\n")


main()
