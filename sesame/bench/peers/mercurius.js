// Mercurius with its compiler on, and one join: `node mercurius.js`, told by DATABASE_URL and PORT.
'use strict'

const Fastify = require('fastify')
const mercurius = require('mercurius')
const { Pool } = require('pg')

const CONNECTIONS_MAX = 8
const DRIVER_HEADER = 'x-driver'

const schema = `
  type Query { viewer: Viewer }
  type Viewer { id: ID! activeSessions: [Session!]! }
  type Session {
    id: ID! plate: String! enteredAt: String! state: String! bill: Bill! place: Place!
  }
  type Bill { due: Money! lines: [BillLine!]! }
  type BillLine { reason: String! startsAt: String amount: Money! }
  type Money { amountMinor: Int! }
  type Place { name: String! timezone: String! currency: String! }
`

const pool = new Pool({ connectionString: process.env.DATABASE_URL, max: CONNECTIONS_MAX })
const statement = process.env.STATEMENT

// As Python writes it: with the offset instead of a Z, and no fraction where there is none.
function written (time) {
  return time === null ? null : time.toISOString().replace('.000Z', '+00:00').replace('Z', '000+00:00')
}

function shaped (rows) {
  const sessions = []
  let last = null
  for (const row of rows) {
    if (row.stay_id === null) continue
    if (last === null || last.id !== row.stay_id) {
      last = {
        id: row.stay_id,
        plate: row.plate,
        enteredAt: written(row.entered_at),
        state: row.state,
        bill: { due: { amountMinor: Number(row.due_minor) }, lines: [] },
        place: { name: row.name, timezone: row.timezone, currency: row.currency }
      }
      sessions.push(last)
    }
    last.bill.lines.push({
      reason: row.reason,
      startsAt: written(row.starts_at),
      amount: { amountMinor: Number(row.amount_minor) }
    })
  }
  return { id: rows[0].driver_id, activeSessions: sessions }
}

const resolvers = {
  Query: {
    viewer: async (_root, _args, context) => {
      const found = await pool.query({
        name: 'viewer', text: statement, values: [context.driver]
      })
      return found.rows.length ? shaped(found.rows) : null
    }
  }
}

const app = Fastify()
app.register(mercurius, {
  schema,
  resolvers,
  jit: 1,
  graphiql: false,
  context: (request) => ({ driver: request.headers[DRIVER_HEADER] })
})
app.listen({ host: '127.0.0.1', port: Number(process.env.PORT) })
