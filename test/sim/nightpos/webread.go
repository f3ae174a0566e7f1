package nightpos

// webRead shows records as the web client asks for them: a field with fields of
// its own is shown with them.
func (t *transaction) webRead(model string, ids []int, specification map[string]any) (any, error) {
	var fields []string
	for name := range specification {
		fields = append(fields, name)
	}
	if len(fields) == 0 {
		fields = []string{"id"}
	}
	rows, err := t.read(model, ids, fields, false)
	if err != nil {
		return nil, err
	}
	for _, row := range rows {
		for name, given := range specification {
			relation, inner := t.server.schema[model][name].relation, objectOf(objectOf(given)["fields"])
			targets, listed := intsOf(row[name])
			if relation == "" || inner == nil || !listed {
				continue
			}
			shown, err := t.webRead(relation, targets, inner)
			if err != nil {
				return nil, err
			}
			found, _ := shown.([]map[string]any)
			switch _, one := row[name].(int); {
			case !one:
				row[name] = found
			case len(found) == 1:
				row[name] = found[0]
			}
		}
	}
	return rows, nil
}

// webSave writes, or makes a record without ids, and shows it.
func (t *transaction) webSave(model string, given arguments) (any, error) {
	ids, values := given.ids(), objectOf(given.at(1, "vals"))
	var err error
	if len(ids) > 0 {
		err = t.write(model, ids, values)
	} else {
		var made int
		made, err = t.create(model, values)
		ids = []int{made}
	}
	if err != nil {
		return nil, err
	}
	return t.webRead(model, ids, objectOf(given.at(2, "specification")))
}

// webSearchRead shows what a search finds, and how much that is in all.
func (t *transaction) webSearchRead(model string, given arguments) (any, error) {
	domain, _ := given.at(0, "domain").([]any)
	all, err := t.search(model, domain, "", 0, 0)
	if err != nil {
		return nil, err
	}
	found, err := t.search(model, domain, textOf(given.at(4, "order")), intOf(given.at(2, "offset")), intOf(given.at(3, "limit")))
	if err != nil {
		return nil, err
	}
	records, err := t.webRead(model, found, objectOf(given.at(1, "specification")))
	return map[string]any{"length": len(all), "records": records}, err
}
