import { afterEach, beforeEach, expect, test } from 'vitest';
import { listen, notify, type Subscription } from '../../src/platform/notify.ts';
import { createTestDatabase, type TestDatabase } from '../support/database.ts';
import { until } from '../support/until.ts';

let database: TestDatabase;
let subscription: Subscription;
let heard: string[];
let reconnects: number;

beforeEach(async () => {
  database = await createTestDatabase();
  heard = [];
  reconnects = 0;
  subscription = await listen(
    { connectionString: database.url },
    'news',
    (payload) => heard.push(payload),
    () => {
      reconnects += 1;
    },
  );
});

afterEach(async () => {
  await subscription.stop();
  await database.drop();
});

test('a message is heard when its transaction commits, and only on its channel', async () => {
  await database.db.transaction().execute(async (tx) => {
    await notify(tx, 'news', 'one');
    await notify(tx, 'gossip', 'two');
    await new Promise((resolve) => setTimeout(resolve, 50));
    expect(heard).toEqual([]);
  });
  await until(() => heard.length > 0);
  expect(heard).toEqual(['one']);
});

test('a message of a transaction that rolls back is never heard', async () => {
  const undone = database.db.transaction().execute(async (tx) => {
    await notify(tx, 'news', 'never');
    throw new Error('no');
  });
  await expect(undone).rejects.toThrow('no');
  await notify(database.db, 'news', 'after');
  await until(() => heard.length > 0);
  expect(heard).toEqual(['after']);
});

test('a broken connection is made again and says that messages may be missing', async () => {
  expect(subscription.connected()).toBe(true);
  await database.pool.query(
    "select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'tollgate listen' and datname = current_database()",
  );
  await until(() => reconnects === 1);
  expect(subscription.connected()).toBe(true);
  await notify(database.db, 'news', 'again');
  await until(() => heard.length > 0);
  expect(heard).toEqual(['again']);
});

test('a database that cannot be reached is an error at once', async () => {
  await expect(
    listen(
      { connectionString: database.url.replace(/tollgate_test_\w+/, 'no_such_database') },
      'news',
      () => {},
      () => {},
    ),
  ).rejects.toThrow(/does not exist/);
});
