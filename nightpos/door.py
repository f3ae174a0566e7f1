# Outlook gateway: operations on the calendar in one transaction.
# Kept up to date by the gateway's register command; edits are overwritten.
MODELS = ['calendar.event', 'calendar.attendee', 'calendar.alarm', 'calendar.event.type', 'calendar.recurrence']
MODULE = '__outlook_gateway__'
results = []
identity = env['ir.config_parameter'].sudo().get_param('database.uuid') or ''
if env.context.get('gw_database') not in (None, identity):
    raise UserError('gateway: another database')
for op in env.context.get('gw_ops') or []:
    if op['do'] == 'built_in_sync':
        paused = env['ir.config_parameter'].sudo().get_param('microsoft_calendar_sync_paused')
        rows = []
        for user in env['res.users'].sudo().browse(op['ids']).exists():
            has = 'microsoft_calendar_rtoken' in user.fields_get(['microsoft_calendar_rtoken'])
            rows.append({
                'id': user.id, 'paused': bool(paused), 'connected': bool(has and user.microsoft_calendar_rtoken),
                'stopped': bool(has and user.microsoft_synchronization_stopped),
            })
        results.append(rows)
        continue
    if op['do'] == 'stop_built_in_sync':
        stopped = []
        for user in env['res.users'].sudo().browse(op['ids']).exists():
            if user.fields_get(['microsoft_synchronization_stopped']) and not user.microsoft_synchronization_stopped:
                user.stop_microsoft_synchronization()
                stopped.append(user.id)
        results.append(stopped)
        continue
    if op['do'] == 'week_start':
        results.append(env['res.lang'].sudo().search([('code', '=', env.user.lang or 'en_US')], limit=1).week_start or '7')
        continue
    if op.get('after') is not None and results[op['after']] is not True:
        results.append('skipped')
        continue
    if op['do'] == 'identity':
        results.append(identity)
        continue
    if op['model'] not in MODELS:
        raise UserError('gateway: model not allowed: %s' % op['model'])
    do = op['do']
    table = env[op['model']].sudo().with_context(op.get('context') or {})
    known = env['ir.model.data'].sudo()
    ids = list(op.get('ids') or [])
    for index in op.get('of') or []:
        for found in results[index]:
            ids.append(found['id'] if isinstance(found, dict) else found)
    lines = []
    for vals in op.get('lines') or []:
        line = dict(op.get('common') or {})
        line.update(vals)
        lines.append([0, 0, line])
    records = table.browse(ids).exists()
    if do == 'read' or do == 'search_read':
        if do == 'search_read':
            domain = [(op['by'], 'in', ids)] if op.get('by') else op['domain']
            records = table.search(domain, limit=op.get('limit'), order=op.get('order'))
        maybe = list(table.fields_get(op['maybe'])) if op.get('maybe') else []
        rows = records.read(op['fields'] + maybe, load='')
        owners = env['res.users'].sudo()
        of_owner = list(owners.fields_get(op['owner'])) if op.get('owner') else []
        for row in rows:
            for name in op.get('micro') or []:
                row[name] = str(table.browse(row['id'])[name] or '')
            for name in of_owner:
                row[name] = bool(row['user_id']) and owners.browse(row['user_id'])[name]
        results.append(rows)
    elif do == 'exists':
        results.append(records.ids)
    elif do == 'keys_of':
        pairs = []
        which = ('name', 'in', op['keys']) if op.get('keys') else ('res_id', 'in', ids)
        for name in known.search([('module', '=', MODULE), ('model', '=', op['model']), which]):
            pairs.append([name.res_id, name.name])
        results.append(pairs)
    elif do == 'create':
        keys = op.get('keys') or []
        made = []
        for index, vals in enumerate(op['vals']):
            key = keys[index] if index < len(keys) else False
            name = known.search([('module', '=', MODULE), ('name', '=', key)]) if key else known
            record = table.browse(name.res_id).exists() if name else table
            if not record:
                name.unlink()
                if lines:
                    vals = dict(vals)
                    vals['calendar_event_ids'] = list(vals.get('calendar_event_ids') or []) + lines
                record = table.create(vals)
                if lines and not record.base_event_id:
                    record.write({'base_event_id': record.calendar_event_ids.sorted('start')[0].id})
                if key:
                    known.create({'module': MODULE, 'name': key, 'model': op['model'], 'res_id': record.id, 'noupdate': True})
            made.append(record.id)
        results.append(made)
    elif do == 'check':
        answer = True
        if len(records) < len(ids):
            answer = 'missing'
        elif op.get('domain') and sorted(table.search(op['domain']).ids) != sorted(records.ids):
            answer = 'stale'
        for record in records:
            stamp = str(record.write_date or '')
            if answer is True and (op.get('stamps') or {}).get(str(record.id), stamp) != stamp:
                answer = 'stale'
        for name in known.search([('module', '=', MODULE), ('model', '=', op['model']), ('name', 'in', op.get('keys') or [])]):
            if table.browse(name.res_id).exists():
                answer = 'made'
        results.append(answer)
    elif do == 'write':
        answer = True
        if len(records) < len(ids):
            answer = 'missing'
        else:
            for name, value in (op.get('guard') or {}).items():
                if str(records[name] or '') != value:
                    answer = 'stale'
        if answer is True:
            vals = dict(op['vals'])
            if lines:
                vals['calendar_event_ids'] = lines
            records.write(vals)
        results.append(answer)
    elif do == 'unlink':
        results.append(records.unlink())
    else:
        raise UserError('gateway: unknown operation: %s' % do)
action = {'type': 'ir.actions.act_window_close', 'infos': {'results': results}}
