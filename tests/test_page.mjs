#!/usr/bin/env node
/* The page in a browser: Debian's Chromium, driven by playwright-core, against the program.
 *
 *   tests/test_page.mjs PROGRAM
 *
 * Sources and target are drawn (page_faces.mjs). Pictures of each state, light, dark and 360 pixels wide,
 * are left in out/page. The last line is "page: N passed, N failed"; exit code 77: skipped. */
import {execFileSync, spawn} from 'node:child_process';
import {existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync} from 'node:fs';
import {homedir, tmpdir} from 'node:os';
import {dirname, join, resolve} from 'node:path';
import {fileURLToPath} from 'node:url';

import {drawAll} from './page_faces.mjs';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const cache = join(process.env.XDG_CACHE_HOME || join(homedir(), '.cache'), 'reprise');
const program = resolve(process.argv[2] || join(root, 'build/reprise'));
const shots = join(root, 'out/page');
const FRAMES = 50;
const EVIL = 'ben.png and <b><img src=x onerror="window.hacked=1">.png';

function skip(why) {
  console.log(`skipped: ${why}`);
  process.exit(77);
}

const [, version] = /^npm-whole playwright-core (\S+)/m.exec(readFileSync(join(root, 'scripts/pins.txt'), 'utf8'));
const driver = join(cache, `npm/playwright-core-${version}/index.mjs`);
const chromium = ['/usr/bin/chromium', '/usr/bin/chromium-browser'].find(existsSync);
if (!existsSync(driver)) skip(`no ${driver}: run scripts/setup.sh --tests`);
if (!chromium) skip('no chromium');

const work = mkdtempSync(join(tmpdir(), 'reprise-page-'));
let passed = 0, failed = 0;

function check(what, right, more) {
  if (right) {
    passed++;
  } else {
    failed++;
    console.log(`not ok ${what}${more === undefined ? '' : `: ${more}`}`);
  }
}

// ---- the server -----------------------------------------------------------------------------------

/* The lite models alone, whatever else is installed. */
const LITE = ['fr_detect', 'fr_landmark', 'fr_feature', 'fr_age', 'fr_gender', 'nsfwjs', 'classic_256'];
mkdirSync(join(work, 'models'));
for (const name of LITE) {
  const file = join(process.env.REPRISE_MODELS || join(cache, 'models'), `${name}.onnx`);
  if (!existsSync(file)) skip(`no ${file}: run scripts/setup.sh --tests`);
  symlinkSync(file, join(work, 'models', `${name}.onnx`));
}
const environment = {...process.env, REPRISE_OFFLINE: '1', HOME: work, REPRISE_MODELS: join(work, 'models'),
  XDG_CACHE_HOME: dirname(cache)};
let server = null;

/* Start it, on a port that is free or on the one it had; the address it prints. */
function serve(port = '0') {
  server = spawn(program, ['serve', '--web-port', port, '--web-path', join(work, 'web'),
    '--execution-thread-count', '1'], {env: environment, cwd: work, stdio: ['ignore', 'pipe', 'pipe']});
  let said = '', errors = '';
  server.stderr.on('data', (data) => { errors += data; });
  return new Promise((found, lost) => {
    const began = server;
    server.stdout.on('data', (data) => {
      said += data;
      const address = /https?:\/\/\S+#key=\S+/.exec(said);
      if (address) found(address[0]);
    });
    server.on('exit', (code) => {
      if (began === server) lost(new Error(`the server ended with ${code}: ${errors}`));
    });
  });
}

async function stop(signal) {
  const old = server;
  server = null;
  if (!old) return;
  const ended = new Promise((done) => old.on('exit', done));
  old.kill(signal);
  await ended;
}

// ---- the page -------------------------------------------------------------------------------------

const {chromium: launcher} = await import(driver);
const browser = await launcher.launch({executablePath: chromium, args: ['--no-sandbox', '--disable-gpu']});
const context = await browser.newContext({viewport: {width: 1280, height: 800}, acceptDownloads: true,
  reducedMotion: 'reduce'});
const page = await context.newPage();
page.setDefaultTimeout(20000);
const complaints = [];
let away = false; // errors of a server that is gone are none
page.on('console', (m) => {
  if (['error', 'warning'].includes(m.type()) && !away) complaints.push(m.text());
});
page.on('pageerror', (e) => complaints.push(String(e)));

async function shoot(name) {
  for (const [look, scheme, width, height] of [['light', 'light', 1280, 800], ['dark', 'dark', 1280, 800],
    ['narrow', 'light', 360, 740]]) {
    await page.emulateMedia({colorScheme: scheme});
    await page.setViewportSize({width, height});
    await page.screenshot({path: join(shots, `${name}-${look}.png`)});
    const wide = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
    check(`${name} ${look}: nothing is wider than the window`, wide <= 0, wide);
  }
  await page.emulateMedia({colorScheme: 'light'});
  await page.setViewportSize({width: 1280, height: 800});
}

const go = (name) => page.click(`.tabs a[href="#${name}"]`);
const text = (selector) => page.textContent(selector);

/* How the pixels of the preview differ from those of `old`: the mean of all, 0 to 255. */
async function pixels() {
  return page.evaluate(async () => {
    const image = document.getElementById('after');
    await image.decode();
    const canvas = new OffscreenCanvas(160, 90);
    const paper = canvas.getContext('2d');
    paper.drawImage(image, 0, 0, 160, 90);
    return [...paper.getImageData(0, 0, 160, 90).data];
  });
}

const unlike = (a, b) => a.reduce((sum, v, i) => sum + Math.abs(v - b[i]), 0) / a.length;

/* Do it, and wait for the preview that follows. */
async function previewAfter(act) {
  const before = Number(await page.getAttribute('#view', 'data-shown') || 0);
  await act();
  await page.waitForFunction((n) => Number(document.getElementById('view').dataset.shown) > n, before);
}

const jobWith = (state) => page.waitForSelector(`.job[data-state=${state}]`, {timeout: 40000});

// ---- what is tried --------------------------------------------------------------------------------

async function begin(address) {
  await page.goto(address);
  await page.waitForSelector('html[data-ready]');
  check('the key is taken out of the address', !page.url().includes('key='), page.url());
}

async function choose() {
  await shoot('1-empty');
  await drop('.drop[data-for=source]', 'ada.png', readFileSync(join(work, 'ada.png')));
  await page.waitForSelector('#sources .chip.face >> nth=0');
  await page.setInputFiles('#file-source', [
    {name: EVIL, mimeType: 'image/png', buffer: readFileSync(join(work, 'ben.png'))}]);
  await page.waitForSelector('#sources .chip.face >> nth=1');
  await previewAfter(() => page.setInputFiles('#file-target', join(work, 'two.mp4')));
  await page.waitForSelector('#faces .chip.face >> nth=1');
  check('two faces are found', await page.locator('#faces .chip.face').count() === 2);
  check('HTML in a name is text', (await text('#sources .chip-box:nth-child(2) .chip-name')).includes('<b>'));
}

async function map() {
  const plain = await pixels();
  await page.click('#sources .chip.face >> nth=1');
  await previewAfter(() => page.click('#faces .chip.face >> nth=0'));
  const one = await pixels();
  await page.click('#sources .chip.face >> nth=0');
  await previewAfter(() => page.click('#faces .chip.face >> nth=1'));
  const two = await pixels();
  check('each face has its source', await page.locator('#faces .chip.face[aria-pressed=true]').count() === 2);
  check('a mapped face changes', unlike(plain, one) > 0.01, unlike(plain, one));
  check('so does the second', unlike(one, two) > 0.01, unlike(one, two));
  return two;
}

async function option(old) {
  await page.fill('#search', 'mask blur');
  check('the search finds the option', await page.locator('.field:visible').count() === 1);
  await previewAfter(async () => {
    await page.fill('#option-face-mask-blur', '0.9');
    await page.press('#option-face-mask-blur', 'Enter');
  });
  const changed = await pixels();
  check('an option changes pixels', unlike(old, changed) > 0.001, unlike(old, changed));
  check('it is marked', await page.locator('.field.is-changed').count() === 1);
  await page.press('#search', 'Escape');
  await page.focus('#divider');
  for (let i = 0; i < 10; i++) await page.keyboard.press('ArrowLeft');
  await page.evaluate(() => document.activeElement.blur());
  await shoot('2-studio');
  await previewAfter(() => page.click('#reset'));
  check('reset brings the pixels back', unlike(old, await pixels()) < 0.001);
}

/* A file dropped on an element of the page, as by a hand. */
async function drop(selector, name, bytes) {
  const data = await page.evaluateHandle(([n, b]) => {
    const transfer = new DataTransfer();
    transfer.items.add(new File([new Uint8Array(b)], n, {type: 'image/png'}));
    return transfer;
  }, [name, [...bytes]]);
  await page.dispatchEvent(selector, 'drop', {dataTransfer: data});
}

async function mouse() {
  const box = await page.locator('#view').boundingBox();
  await page.mouse.move(box.x + box.width * 0.3, box.y + 20);
  await page.mouse.down();
  await page.mouse.move(box.x + box.width * 0.75, box.y + 20, {steps: 4});
  check('the divider follows the mouse', await page.getAttribute('#divider', 'aria-valuenow') === '75');
  await page.keyboard.press('Escape');
  await page.mouse.up();
  check('Escape ends the drag', await page.getAttribute('#divider', 'aria-valuenow') === '30');
}

async function wrong() {
  away = true; // what is refused is an error for the console
  await page.setInputFiles('#file-source', {name: 'bad.png', mimeType: 'image/png', buffer: Buffer.from('no picture')});
  await page.waitForSelector('.note.bad');
  check('a broken file is refused in a sentence', (await text('.note.bad')).includes('“bad.png” was not taken'));
  await page.keyboard.press('Escape');
  check('Escape closes the message', await page.locator('.note.bad').count() === 0);
  await page.selectOption('#step', 'face_enhancer');
  await page.waitForSelector('#wrong a');
  check('a missing model is named', (await text('#wrong')).includes('gfpgan_1.4'), await text('#wrong'));
  await previewAfter(() => page.click('[aria-label="Remove Face enhancer"]'));
  check('and the sentence goes', !await page.isVisible('#wrong'));
  away = false;
}

async function keyboard() {
  await page.focus('#divider');
  await page.keyboard.press('End');
  check('the divider follows keys', await page.getAttribute('#divider', 'aria-valuenow') === '100');
  await page.keyboard.press('Escape');
  check('Escape takes it back', await page.getAttribute('#divider', 'aria-valuenow') === '50');
  await page.focus('#head');
  await previewAfter(() => page.keyboard.press('Shift+ArrowRight'));
  check('the time line follows keys', await page.getAttribute('#head', 'aria-valuenow') === '10');
  await page.keyboard.press('i');
  check('I sets the trim', (await text('#time-kept')).startsWith(`${FRAMES - 10} frames`), await text('#time-kept'));
  await page.keyboard.press('Escape');
  await previewAfter(() => page.keyboard.press('Home'));
  await page.keyboard.press('Tab');
  check('what has the keyboard can be seen',
    await page.evaluate(() => document.activeElement.matches(':focus-visible')));
  const nameless = await page.evaluate(() => [...document.querySelectorAll('button, input, select, [role=slider]')]
    .filter((e) => e.checkVisibility() && !e.ariaHidden && !e.ariaLabel && !e.textContent.trim() && !e.labels?.length)
    .map((e) => e.outerHTML));
  check('everything has a name for screen readers', nameless.length === 0, nameless[0]);
}

/* Two more jobs; the second goes before the first. */
async function line() {
  await go('studio');
  for (const name of ['first', 'second']) {
    await page.fill('#job-name', name);
    await page.click('#start');
    await page.waitForFunction((n) => [...document.querySelectorAll('.job h2')].some((h) => h.textContent === n), name);
  }
  await go('queue');
  const names = () => page.locator('.job[data-state=queued] h2').allTextContents();
  check('jobs wait in their order', String(await names()) === 'first,second', await names());
  await page.click('[aria-label="Move up: second"]');
  await page.waitForFunction(() => document.querySelector('.job[data-state=queued] h2').textContent === 'second');
  check('a job can be moved', String(await names()) === 'second,first', await names());
}

async function cancel() {
  await page.fill('#job-name', EVIL);
  await page.click('#start');
  await go('queue');
  await jobWith('running');
  await page.waitForFunction(() => document.querySelector('.job[data-state=running] progress')?.value > 0);
  check('progress is shown', / of 50 frames/.test(await text('.job .facts')), await text('.job .facts'));
  check('the tab tells it', /^\d+ % · Queue · reprise$/.test(await page.title()), await page.title());
  await line();
  await shoot('3-running');
  for (let waiting = 2; waiting > 0; waiting--) {
    await page.click('.job[data-state=queued] button:has-text("Cancel")');
    await page.waitForFunction((n) => document.querySelectorAll('.job[data-state=queued]').length === n, waiting - 1);
  }
  await page.click('.job[data-state=running] button:has-text("Cancel")');
  await jobWith('cancelled');
  await page.waitForSelector('.job[data-state=running]', {state: 'detached'});
  const names = await page.locator('.job h2').allTextContents();
  check('HTML in the name of a job is text', names.includes(EVIL), names);
  for (let n = await page.locator('.job').count(); n > 0; n--) {
    await page.click('.job button:has-text("Remove")');
    await page.waitForFunction((left) => document.querySelectorAll('.job').length === left, n - 1);
  }
  check('an empty queue says so', await page.isVisible('#no-jobs'));
}

async function restart() {
  await go('studio');
  await page.fill('#job-name', 'two');
  await page.click('#start');
  await go('queue');
  await page.waitForFunction(() => document.querySelector('.job[data-state=running] progress')?.value > 0.1);
  away = true;
  await stop('SIGKILL');
  await page.waitForSelector('#banner:visible');
  check('a server that is gone is told', (await text('#banner')).includes('does not answer'));
  await shoot('4-away');
  const address = await serve(new URL(page.url()).port);
  await page.waitForFunction(() => document.getElementById('banner').textContent.includes('started anew'));
  check('a new key is asked for', true);
  await page.evaluate((to) => { location.href = to; }, address); // the same page, as in a used tab
  await page.waitForFunction(() => !location.hash.includes('key') && document.documentElement.dataset.ready &&
    !document.getElementById('banner').textContent);
  away = false;
  check('sources are kept', await page.locator('#sources .chip.face').count() === 2);
  await page.waitForSelector('#faces .chip.face[aria-pressed=true] >> nth=1');
  await page.waitForSelector('#view[data-state=shown]');
  await go('queue');
  const done = await jobWith('done');
  check('it went on after the restart', (await done.textContent()).includes('two'));
  await shoot('5-done');
}

async function result() {
  const [download] = await Promise.all([page.waitForEvent('download'),
    page.click('.job[data-state=done] a:has-text("Download")')]);
  const made = readFileSync(await download.path());
  await page.click('.job[data-state=done] button:has-text("Show")');
  await page.waitForFunction(() => document.querySelector('#player video')?.readyState >= 2);
  check('the result plays', await page.evaluate(() => document.querySelector('#player video').videoWidth) === 480);
  await shoot('6-player');
  await page.keyboard.press('Escape');
  check('Escape closes the player', !await page.isVisible('#player'));
  check('the result is that of the command line', made.equals(await commandLine()));
}

/* The same job by the command line, with the reference faces that the server gives. */
async function commandLine() {
  const media = (await (await page.request.get(new URL('/v1/media', page.url()).href)).json()).media;
  const target = media.find((m) => m.name === 'two.mp4').id;
  for (const face of [0, 1]) {
    const answer = await page.request.get(new URL(`/v1/media/${target}/faces/${face}?n=0`, page.url()).href);
    writeFileSync(join(work, `face-${face}.jpg`), await answer.body());
  }
  const at = (name) => join(work, name);
  execFileSync(program, ['headless-run', '--log-level', 'error', '--processors', 'face_swapper',
    '-s', at('ada.png'), at('ben.png'), '-t', at('two.mp4'), '-o', at('cli.mp4'),
    '--face-map', `${at('ben.png')}=${at('face-0.jpg')}`, `${at('ada.png')}=${at('face-1.jpg')}`],
  {env: environment, cwd: work});
  return readFileSync(at('cli.mp4'));
}

async function others() {
  await go('models');
  await page.waitForSelector('.model');
  await page.fill('#model-search', 'classic_256');
  check('the models are searched', await page.locator('.model').count() === 1);
  check('what is installed is said', (await text('.model')).includes('Installed'));
  check('with its licence', (await text('.model-licence')).length > 2);
  await page.fill('#model-search', '');
  await shoot('7-models');
  await go('engine');
  await page.waitForSelector('.bar');
  check('the stages are drawn', await page.locator('#plot-stages .bar').count() >= 3);
  for (const figure of ['Device', 'Frames at once', 'Memory in all']) {
    check(`the figures have ${figure}`, (await text('#figures')).includes(figure), await text('#figures'));
  }
  await shoot('8-engine');
  await page.click('#theme');
  check('the switch makes it dark', await page.evaluate(() => document.documentElement.style.colorScheme) === 'dark');
  check('nothing of a name ran', await page.evaluate(() => window.hacked === undefined));
  check('the console is silent', complaints.length === 0, complaints.slice(0, 3).join(' | '));
}

async function main() {
  mkdirSync(shots, {recursive: true});
  const drawing = await browser.newPage();
  await drawAll(drawing, work, 480, 270, FRAMES);
  await drawing.close();
  await begin(await serve());
  await choose();
  await option(await map());
  await wrong();
  await mouse();
  await keyboard();
  await cancel();
  await restart();
  await result();
  await others();
}

try {
  await main();
} catch (error) {
  check('to the end', false, error.stack);
  await page.screenshot({path: join(shots, '9-failed.png')}).catch(() => {});
  if (complaints.length) console.log(complaints.join('\n'));
}
await stop('SIGTERM');
await browser.close();
rmSync(work, {recursive: true, force: true});
console.log(`page: ${passed} passed, ${failed} failed`);
process.exitCode = failed ? 1 : 0;
