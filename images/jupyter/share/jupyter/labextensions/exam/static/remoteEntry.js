// The exam in JupyterLab: a page with its sections, and a clock that warns.
//
// This is a prebuilt extension as JupyterLab loads them: a container of webpack's module federation
// (https://webpack.js.org/concepts/module-federation), written by hand, so that nothing builds it.
// JupyterLab calls `init` with the packages that it shares, then `get` for the module that
// package.json names.
window._JUPYTERLAB = window._JUPYTERLAB || {};
window._JUPYTERLAB.exam = (() => {
  'use strict';

  const WARNED = [30, 10, 5]; // minutes
  const ASK_SECONDS = 5;
  const PAGE = 'exam-page';
  const OPEN = 'exam:open';
  const ADVICE =
    'What was graded when the time is up counts: run exam grade N in a terminal of your own machine.';

  let shared; // name -> version -> {get}

  async function load(name) {
    const [version] = Object.values(shared[name]);
    const factory = await version.get();
    return factory();
  }

  // ---- what the server says

  const config = JSON.parse(document.getElementById('jupyter-config-data')?.textContent || '{}');

  async function ask() {
    const headers = config.token ? { Authorization: `token ${config.token}` } : {};
    const answer = await fetch(`${config.baseUrl || '/'}exam/now`, { headers, cache: 'no-store' });
    if (!answer.ok) {
      throw new Error(`exam/now: ${answer.status}`);
    }
    return answer.json();
  }

  // ---- words and elements

  function span(seconds) {
    const all = Math.ceil(seconds);
    const two = number => String(number).padStart(2, '0');
    return `${Math.floor(all / 3600)}:${two(Math.floor(all / 60) % 60)}:${two(all % 60)}`;
  }

  function element(tag, className, ...inside) {
    const made = document.createElement(tag);
    made.className = className;
    made.append(...inside);
    return made;
  }

  function button(label, className, action) {
    const made = element('button', className, label);
    made.type = 'button';
    made.addEventListener('click', action);
    return made;
  }

  function code(text) {
    return element('code', '', text);
  }

  // ---- the clock: it asks seldom, and counts in between by a clock that nobody can set

  class Countdown {
    constructor(notify) {
      this._notify = notify;
      this._left = null;
      this._asked = performance.now();
      this._extra = null;
      this._warned = Infinity; // the smallest number of minutes that was warned of
      this._over = false;
      this.submitted = false;
    }

    hear(told) {
      const before = this._extra;
      this._left = told.left;
      this._asked = performance.now();
      this._extra = told.extra;
      this.submitted = told.submitted;
      if (before !== null && told.extra > before && this.left !== null) {
        const minutes = Math.round((told.extra - before) / 60);
        this._notify(`You were given ${minutes} minutes more: ${span(this.left)} left.`, 'info');
      }
    }

    get left() {
      if (this._left === null || this.submitted) {
        return null;
      }
      return Math.max(0, this._left - (performance.now() - this._asked) / 1000);
    }

    get colour() {
      const left = this.left;
      if (left === null || left > 30 * 60) {
        return '';
      }
      return left > 10 * 60 ? 'exam-soon' : 'exam-now';
    }

    tick() {
      const left = this.left;
      if (left === null) {
        return;
      }
      if (left === 0) {
        if (!this._over) {
          this._over = true;
          this._notify(
            'The time is up. What was graded counts; exam submit, in a terminal of your own machine, ends the exam.',
            'error'
          );
        }
        return;
      }
      this._over = false;
      const minutes = Math.min(Infinity, ...WARNED.filter(one => left <= 60 * one));
      if (minutes < this._warned) {
        this._notify(`Less than ${minutes} minutes left. ${ADVICE}`, 'warning');
      }
      this._warned = minutes; // extra time sets it back, and the warnings come again
    }
  }

  // ---- the page

  class Page {
    constructor(app, countdown) {
      this._app = app;
      this._countdown = countdown;
      this._drawn = '';
      this.node = element('div', 'exam-page-inner');
      this._big = element('div', 'exam-big');
      this._small = element('small', '');
      this._time = element('div', 'exam-time', this._big, this._small);
    }

    tick() {
      const left = this._countdown.left;
      this._time.hidden = left === null;
      if (left !== null) {
        this._big.textContent = left ? span(left) : 'Time is up';
        this._small.textContent = left ? 'left' : 'what was graded counts';
        this._big.className = `exam-big ${this._countdown.colour}`;
      }
    }

    draw(exam) {
      const text = JSON.stringify([exam, this._countdown.submitted]);
      if (text === this._drawn) {
        return; // or a button would vanish under a finger
      }
      this._drawn = text;
      const weights = exam.sections.reduce((sum, one) => sum + one.weight, 0);
      const rules = this._countdown.submitted
        ? 'This exam was submitted and is over.'
        : (exam.rules || []).join(' · ');
      this.node.replaceChildren(
        element(
          'div',
          'exam-head',
          element('div', '', element('h1', '', exam.title), element('p', '', rules)),
          this._time
        ),
        element('ul', 'exam-cards', ...exam.sections.map(one => this._card(one, weights))),
        this._how()
      );
    }

    _card(section, weights) {
      const points = Math.round((1000 * section.weight) / weights) / 10;
      const saved = section.model
        ? `✓ ${section.model.name}, ${new Date(1000 * section.model.saved).toLocaleTimeString()}`
        : 'No model saved yet';
      const buttons = [
        button('Open', 'exam-main', () => this._open(section)),
        ...(section.files.includes('task.md')
          ? [button('Task', '', () => this._task(section))]
          : [])
      ];
      return element(
        'li',
        'exam-card',
        element(
          'div',
          'exam-card-top',
          element('span', 'exam-number', String(section.section)),
          element('span', '', section.category),
          element('span', 'exam-weight', `${points} points`)
        ),
        element('h2', '', section.title),
        element('p', section.model ? 'exam-saved exam-yes' : 'exam-saved', saved),
        element('div', 'exam-buttons', ...buttons)
      );
    }

    _how() {
      return element(
        'div',
        'exam-how',
        element('h2', '', 'How it goes'),
        element(
          'ol',
          '',
          element('li', '', 'Open a section: its starter notebook, and its task beside it.'),
          element('li', '', 'Train, and save one model in the section’s folder: ', code('model.keras'), '.'),
          element(
            'li',
            '',
            'In a terminal of your own machine, not in here: ',
            code('exam grade 1'),
            ' scores it, ',
            code('exam status'),
            ' shows what you have, ',
            code('exam submit'),
            ' ends the exam.'
          )
        )
      );
    }

    // Starters go beside this page and tasks into a column to the right, however many are opened.
    // The starter comes last, so that it is what the candidate works in.
    async _open(section) {
      await this._task(section);
      const starter = section.files.find(name => name.startsWith('starter.'));
      if (starter) {
        const where = this._beside(starter) || { mode: 'tab-after', ref: PAGE };
        await this._show(section, starter, undefined, where);
      }
      if (this._app.commands.hasCommand('filebrowser:go-to-path')) {
        const path = section.directory;
        await this._app.commands.execute('filebrowser:go-to-path', { path, dontShowBrowser: true });
      }
    }

    async _task(section) {
      if (section.files.includes('task.md')) {
        const where = this._beside('task.md') || { mode: 'split-right', ref: PAGE };
        await this._show(section, 'task.md', 'Markdown Preview', where);
      }
    }

    // Where files of that name are open: in this sitting, or in the one that was restored.
    _beside(name) {
      const open = [...this._app.shell.widgets('main')];
      const last = open.filter(one => one.context?.path?.endsWith(`/${name}`)).pop();
      return last ? { mode: 'tab-after', ref: last.id } : null;
    }

    _show(section, name, factory, options) {
      const path = `${section.directory}/${name}`;
      return this._app.commands.execute('docmanager:open', { path, factory, options });
    }
  }

  // ---- JupyterLab

  async function activate(app) {
    const { Widget } = await load('@lumino/widgets');
    const style = document.createElement('link');
    style.rel = 'stylesheet';
    style.href = `${config.fullLabextensionsUrl}/exam/static/exam.css`;
    document.head.append(style);

    let told = await ask();
    if (!told.exam.sections) {
      return; // no exam was started here: this is JupyterLab and nothing else
    }
    await app.restored;

    let last = null; // what was said before is no longer so
    const notify = async (message, type) => {
      const before = last;
      last = app.commands.execute('apputils:notify', {
        message,
        type,
        options: { autoClose: false }
      });
      if (before !== null) {
        await app.commands.execute('apputils:dismiss-notification', { id: await before });
      }
    };
    const countdown = new Countdown(notify);
    const page = new Page(app, countdown);

    const pill = button('', 'exam-pill', () => app.commands.execute(OPEN));
    pill.title = 'Show the exam’s sections';
    const top = new Widget({ node: element('div', 'exam-top', pill) });
    top.id = 'exam-top';
    app.shell.add(top, 'top', { rank: 10000 });

    let widget = null;
    app.commands.addCommand(OPEN, {
      label: 'Show the Exam’s Sections',
      execute: () => {
        if (widget === null || widget.isDisposed) {
          widget = new Widget();
          widget.id = PAGE;
          widget.title.label = 'Exam';
          widget.title.closable = true;
          widget.addClass('exam-page');
          widget.node.append(page.node);
          widget.node.tabIndex = -1; // what has the focus is what JupyterLab takes for current
          widget.onActivateRequest = () => widget.node.focus();
          const [first] = app.shell.widgets('main');
          app.shell.add(widget, 'main', first ? { mode: 'tab-before', ref: first.id } : {});
        }
        app.shell.activateById(PAGE);
      }
    });

    const show = () => {
      const left = countdown.left;
      const time = left === null ? 'Exam' : left ? `${span(left)} left` : 'Time is up';
      pill.textContent = countdown.submitted ? 'Exam submitted' : time;
      pill.className = `exam-pill ${countdown.colour}`;
      page.tick();
      countdown.tick();
    };
    const hear = () => {
      countdown.hear(told.clock);
      page.draw(told.exam);
      show();
    };

    hear();
    const others = [...app.shell.widgets('main')];
    const launchers = others.filter(one => one.id.startsWith('launcher'));
    await app.commands.execute(OPEN);
    if (others.length > launchers.length) {
      app.shell.activateById(others.find(one => !launchers.includes(one)).id); // work goes on
    } else {
      launchers.forEach(one => one.dispose());
    }
    setInterval(show, 1000);
    setInterval(async () => {
      try {
        told = await ask();
        if (told.exam.sections) {
          hear();
        }
      } catch {
        // The server is being restarted, say: the clock counts on, and the next question is soon.
      }
    }, 1000 * ASK_SECONDS);
  }

  const plugin = {
    id: 'exam:page',
    description: 'The exam’s sections and its clock.',
    autoStart: true,
    activate: app => {
      activate(app).catch(error => console.error('exam:', error)); // JupyterLab itself goes on
    }
  };

  return {
    init: scope => {
      shared = scope;
    },
    get: async () => () => plugin
  };
})();
