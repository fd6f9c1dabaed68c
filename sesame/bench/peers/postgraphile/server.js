// PostGraphile 4 over the rows themselves: `node postgraphile.js`, told by DATABASE_URL and PORT.
'use strict'

const http = require('node:http')
const { Pool } = require('pg')
const { postgraphile } = require('postgraphile')

const CONNECTIONS_MAX = 8

const pool = new Pool({ connectionString: process.env.DATABASE_URL, max: CONNECTIONS_MAX })

// As its own pages advise for production. Lists without cursors are the cheaper ones.
const answer = postgraphile(pool, 'bench', {
  graphiql: false,
  watchPg: false,
  disableQueryLog: true,
  enableQueryBatching: false,
  ignoreRBAC: true,
  legacyRelations: 'omit',
  setofFunctionsContainNulls: false,
  simpleCollections: 'only',
  disableDefaultMutations: true
})

http.createServer(answer).listen(Number(process.env.PORT), '127.0.0.1')
