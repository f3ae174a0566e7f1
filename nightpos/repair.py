# Outlook gateway: puts the gateway's own automation rules back, and does nothing else.
# Kept up to date by the gateway's register command; edits are overwritten.
FORM = $FORM
DOOR = $DOOR
GROUP = $GROUP
ADDRESS = $ADDRESS
RULES = $RULES
LETTERS = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_'
token = env.context.get('gw_token') or ''
if len(token) < 16 or token.strip(LETTERS):
    raise UserError('gateway: no token')
identity = env['ir.config_parameter'].sudo().get_param('database.uuid') or ''
if env.context.get('gw_database') not in (None, identity):
    raise UserError('gateway: another database')
rules = env['base.automation'].sudo().with_context(active_test=False)
actions = env['ir.actions.server'].sudo()
fields = env['ir.model.fields'].sudo()
door = actions.search([('name', '=', DOOR), ('state', '=', 'code')], order='id', limit=1)
groups = 'group_ids' if actions.fields_get(['group_ids']) else 'groups_id'
wrong = ''
if not door:
    wrong = 'missing'
elif (door.code or '').strip() != (env.context.get('gw_door') or '').strip():
    wrong = 'edited'
elif door[groups].ids != [GROUP]:
    wrong = 'open'
mended = []
for rule in RULES:
    model = env['ir.model'].sudo().search([('model', '=', rule['model'])])
    triggers = fields.search([('model_id', '=', model.id), ('name', 'in', rule['triggers'])]).ids
    told = fields.search([('model_id', '=', model.id), ('name', 'in', rule['told'])]).ids
    address = ADDRESS + token + '?on=' + rule['on']
    right = False
    was = ''
    for row in rules.search([('name', '=', rule['name'])], order='id'):
        webhook = row.action_server_ids
        same = row.model_id.id == model.id and row.trigger == rule['trigger'] and row.filter_domain == rule['domain']
        same = same and sorted(row.trigger_field_ids.ids) == sorted(triggers) and len(webhook) == 1
        same = same and webhook.state == 'webhook' and webhook.webhook_url == address
        same = same and sorted(webhook.webhook_field_ids.ids) == sorted(told)
        if same and row.active and not right:
            right = True
            continue
        was = 'edited'
        if same:
            was = 'doubled' if row.active else 'switched off'
        if not env.context.get('gw_look'):
            row.unlink()
            webhook.exists().unlink()
        mended.append([rule['name'], was])
    if right:
        continue
    if not was:
        mended.append([rule['name'], 'missing'])
    if not env.context.get('gw_look'):
        rules.create({
            'name': rule['name'], 'model_id': model.id, 'trigger': rule['trigger'], 'filter_domain': rule['domain'], 'active': True,
            'trigger_field_ids': [(6, 0, triggers)],
            'action_server_ids': [(0, 0, {
                'name': rule['name'], 'model_id': model.id, 'state': 'webhook', 'webhook_url': address,
                'webhook_field_ids': [(6, 0, told)],
            })],
        })
action = {'type': 'ir.actions.act_window_close', 'infos': {'form': FORM, 'door': wrong, 'mended': mended}}
