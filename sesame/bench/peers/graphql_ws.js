// A graphql-ws server with the work of `availabilityChanged`: `node graphql_ws.js`, told by
// DATABASE_URL, REDIS_URL, CHANNEL and PORT. A message on the channel means: read the rows, tell everybody.
'use strict'

const http = require('node:http')
const net = require('node:net')
const { buildSchema } = require('graphql')
const { useServer } = require('graphql-ws/use/ws')
const { Pool } = require('pg')
const { WebSocketServer } = require('ws')

const CONNECTIONS_MAX = 8
const statement = process.env.STATEMENT

const schema = buildSchema(`
  type Query { none: Int }
  type Subscription { availabilityChanged(placeId: ID!): AvailabilityChangedResult! }
  union AvailabilityChangedResult = AvailabilityUpdate | Refused
  interface Refusal { code: String! }
  type Refused implements Refusal { code: String! }
  type AvailabilityUpdate { asOf: String! areas: [Area!]! }
  type Area { name: String! spaces: Int! free: Int! isFull: Boolean! }
`)

const pool = new Pool({ connectionString: process.env.DATABASE_URL, max: CONNECTIONS_MAX })
const watching = new Set()

async function read () {
  const { rows } = await pool.query({ name: 'areas', text: statement })
  return {
    availabilityChanged: {
      __typename: 'AvailabilityUpdate',
      asOf: new Date().toISOString(),
      areas: rows.map(row => ({
        name: row.name,
        spaces: row.spaces,
        free: Math.max(row.spaces - row.occupied, 0),
        isFull: row.is_full
      }))
    }
  }
}

schema.getSubscriptionType().getFields().availabilityChanged.subscribe = async function * () {
  let wake = null
  let pending = await read()
  const one = value => { pending = value; if (wake) wake() }
  watching.add(one)
  try {
    for (;;) {
      if (pending === null) await new Promise(resolve => { wake = resolve })
      wake = null
      const told = pending
      pending = null
      if (told) yield told
    }
  } finally {
    watching.delete(one)
  }
}

function command (...words) {
  const parts = words.map(word => `$${Buffer.byteLength(word)}\r\n${word}\r\n`)
  return `*${words.length}\r\n${parts.join('')}`
}

const redis = new URL(process.env.REDIS_URL)
const bus = net.connect(Number(redis.port), redis.hostname, () => {
  if (redis.password) bus.write(command('AUTH', decodeURIComponent(redis.password)))
  bus.write(command('SUBSCRIBE', process.env.CHANNEL))
})
bus.on('data', async data => {
  if (!data.includes('message')) return
  const told = await read()
  for (const one of watching) one(told)
})

const server = http.createServer()
const sockets = new WebSocketServer({ server, path: '/graphql', perMessageDeflate: false })
useServer({ schema }, sockets)
server.listen(Number(process.env.PORT), '127.0.0.1')
