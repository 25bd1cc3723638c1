// What does the console say, in which language? One table a language; a name that no table has is shown as it is.
import {signal} from "./html.js";

export const language = signal("zh-Hans");

/** Take the language of an account, else of the browser. @param {string} wanted */
export function choose(wanted) {
  const said = (wanted || navigator.language || "").toLowerCase();
  language.value = /^zh-(hant|tw|hk|mo)/.test(said) ? "zh-Hant" : said.startsWith("zh") ? "zh-Hans" : wanted || said ? "en" : "zh-Hans";
  document.documentElement.lang = language.value;
}

/** A sentence, with what belongs at %1, %2. @param {string} name @param {...(string|number)} given */
export function t(name, ...given) {
  const words = WORDS[name];
  const text = words ? words[{"zh-Hans": 0, "zh-Hant": 1, en: 2}[language.value] || 0] : name;
  return text.replace(/%(\d)/g, (_, n) => String(given[n - 1] ?? ""));
}

/** The name of a value of a closed list for people. @param {string} family @param {string} value */
export const named = (family, value) => (WORDS[`${family}.${value}`] ? t(`${family}.${value}`) : value.replaceAll("_", " "));

/** @type {Record<string, [string, string, string]>} */
const WORDS = {
  seconds: ["%1 秒", "%1 秒", "%1 s"], minutes: ["%1 分", "%1 分", "%1 min"], hours: ["%1 时", "%1 時", "%1 h"],
  hours_minutes: ["%1 时 %2", "%1 時 %2", "%1 h %2"], days: ["%1 天", "%1 天", "%1 d"],
  over: ["超", "超", "over"], left: ["剩", "剩", "left"], no_promise: ["没有时限", "沒有時限", "no promise"],
  answered: ["已答复", "已答覆", "answered"], pending: ["等客户", "等客戶", "with customer"], on_hold: ["挂起", "掛起", "on hold"],
  solved: ["已解决", "已解決", "solved"], closed: ["已关闭", "已關閉", "closed"], open: ["处理中", "處理中", "open"],
  desk: ["客服台", "客服台", "Desk"], skip: ["跳到会话", "跳到對話", "Skip to the conversation"],
  log_in: ["登录", "登入", "Log in"], name: ["用户名", "使用者名稱", "Name"], password: ["密码", "密碼", "Password"],
  welcome: ["欢迎，请设置密码", "歡迎，請設定密碼", "Welcome. Choose a password"],
  welcome_why: ["至少 10 个字符。这个链接只能用一次。", "至少 10 個字元。這個連結只能用一次。", "Ten characters at least. This link works once."],
  set_password: ["设置密码并进入", "設定密碼並進入", "Set it and come in"], log_out: ["退出", "登出", "Log out"],
  mine: ["我的", "我的", "Mine"], all: ["全部", "全部", "All"], nobodys: ["没人接", "沒人接", "Nobody's"], queues: ["队列", "佇列", "Queues"],
  urgent_first: ["最急的在前", "最急的在前", "most urgent first"], changed: ["%1 条有变", "%1 則有變", "%1 changed"],
  nothing: ["这里没有等待处理的会话。", "這裡沒有等待處理的對話。", "Nothing waits here."], more: ["再多一些", "更多", "More"],
  nothing_open: ["在左边选一个会话。", "在左邊選一個對話。", "Choose a conversation on the left."],
  waits: ["等 %1", "等 %1", "waits %1"], chased: ["催 ×%1", "催 ×%1", "asked ×%1"], me: ["我", "我", "me"], free: ["没人接", "沒人接", "free"],
  took_over: ["%1 在处理", "%1 在處理", "%1 holds it"],
  take: ["接", "接", "Take"], release: ["放回", "放回", "Release"], solve: ["解决", "解決", "Solve"], wait: ["等客户", "等客戶", "Wait"],
  reopen: ["重新打开", "重新開啟", "Reopen"], move: ["转队列", "轉佇列", "Move"], retag: ["改类型", "改類型", "Change type"],
  reply: ["答复", "答覆", "Reply"], note: ["备注", "備註", "Note"], send: ["发送", "送出", "Send"], send_solve: ["发送并解决", "送出並解決", "Send and solve"],
  send_wait: ["发送并等客户", "送出並等客戶", "Send and wait"], keep_note: ["记下", "記下", "Keep"], to: ["发给 %1（%2）", "傳給 %1（%2）", "To %1 (%2)"],
  cannot: ["无法答复：%1", "無法答覆：%1", "No reply possible: %1"], write_reply: ["写答复…", "寫答覆…", "Write a reply…"],
  write_note: ["只有同事看得到…", "只有同事看得到…", "Only colleagues see it…"], draft_kept: ["草稿已保存", "草稿已儲存", "Draft kept"],
  sent_to_queue: ["已交给系统发送", "已交給系統傳送", "On its way"], done: ["好了", "好了", "Done"],
  somebody_answered: ["已经有人答复过了，先看看：", "已經有人答覆過了，先看看：", "Somebody answered meanwhile. Look first:"],
  look: ["先看看", "先看看", "Look"], failed: ["没有成功：%1", "沒有成功：%1", "That failed: %1"],
  offline: ["连不上服务器，正在重试。看到的是 %1 的内容；草稿都在。", "連不上伺服器，正在重試。看到的是 %1 的內容；草稿都在。", "The server cannot be reached; trying again. You see the state of %1; drafts are kept."],
  why: ["为什么在这里", "為什麼在這裡", "Why is it here"], customer: ["客户", "客戶", "Customer"], earlier: ["其他会话", "其他對話", "Other conversations"],
  promises: ["时限", "時限", "Promises"], unproven: ["身份未证实", "身分未證實", "Nothing proves who this is"],
  proved: ["已证实", "已證實", "proved"], claimed: ["自称", "自稱", "claimed"],
  same: ["同一件事？%1", "同一件事？%1", "The same matter? %1"], join: ["合并", "合併", "Join"], not_same: ["不是", "不是", "Not the same"],
  also: ["%1 也提到同一个号码（未证实）", "%1 也提到同一個號碼（未證實）", "%1 names the same number (unproven)"],
  first_waits: ["从 %1 开始等", "從 %1 開始等", "waits since %1"], rule: ["规则 %1", "規則 %1", "rule %1"], sure: ["把握 %1%", "把握 %1%", "%1% sure"],
  by_person: ["人工改的", "人工改的", "set by a person"], placed_by: ["凭 %1", "憑 %1", "by %1"], files: ["附件", "附件", "files"],
  automatic: ["自动", "自動", "automatic"], quoted: ["引用的内容", "引用的內容", "quoted"], theme: ["换深浅色", "換深淺色", "Light or dark"],
  priority: ["优先级 %1", "優先順序 %1", "priority %1"], back: ["返回", "返回", "Back"], keys_help: ["快捷键", "快速鍵", "Keys"],
  "metric.first_reply": ["首复", "首覆", "first reply"], "metric.next_reply": ["下次", "下次", "next reply"],
  "metric.update": ["进展", "進度", "update"], "metric.resolution": ["解决", "解決", "resolution"],
  "state.running": ["进行中", "進行中", "running"], "state.paused": ["暂停", "暫停", "paused"], "state.met": ["做到了", "做到了", "met"],
  "state.breached": ["超时", "逾時", "breached"], "state.cancelled": ["取消", "取消", "cancelled"], "state.missed": ["错过", "錯過", "missed"],
  "delivery.pending": ["等待发送", "等待傳送", "waits to be sent"], "delivery.sending": ["发送中", "傳送中", "sending"],
  "delivery.sent": ["已发送", "已傳送", "sent"], "delivery.delivered": ["已送达", "已送達", "delivered"], "delivery.read": ["已读", "已讀", "read"],
  "delivery.failed": ["没发出去", "沒傳出去", "not sent"], "delivery.bounced": ["退信", "退信", "bounced"],
  "delivery.unknown": ["不确定是否发出", "不確定是否送出", "sent or not, nobody knows"], "delivery.delayed": ["延迟", "延遲", "delayed"],
  "class.first": ["首次", "首次", "first"], "class.resend": ["重发", "重發", "sent again"], "class.chaser": ["催促", "催促", "asks again"],
  "class.addition": ["补充", "補充", "adds"], "class.new_issue": ["新问题", "新問題", "new matter"], "class.cross_channel": ["换渠道再说", "換管道再說", "by another channel"],
  "class.cross_customer": ["别人也遇到", "別人也遇到", "others too"], "class.ack": ["致谢", "致謝", "thanks"],
  "queue.general": ["综合", "綜合", "General"], "queue.account": ["账户", "帳戶", "Account"], "queue.payments": ["支付", "支付", "Payments"],
  "queue.disputes": ["争议", "爭議", "Disputes"], "queue.risk": ["风险", "風險", "Risk"], "queue.complaints": ["投诉", "投訴", "Complaints"],
  "queue.feedback": ["反馈", "意見", "Feedback"],
  "type.login": ["登录", "登入", "Login"],
  "type.password_recovery": ["找回密码", "找回密碼", "Password"],
  "type.account_locked": ["账户锁定", "帳戶鎖定", "Account locked"],
  "type.account_frozen": ["账户冻结", "帳戶凍結", "Account frozen"],
  "type.transfer_failed": ["转账失败", "轉帳失敗", "Transfer failed"],
  "type.topup_failed": ["充值失败", "儲值失敗", "Top-up failed"],
  "type.withdrawal_failed": ["提现失败", "提領失敗", "Withdrawal failed"],
  "type.card_binding": ["绑卡", "綁卡", "Card binding"],
  "type.payment_unconfirmed": ["付款未确认", "付款未確認", "Payment unconfirmed"],
  "type.refund": ["退款", "退款", "Refund"],
  "type.dispute": ["争议", "爭議", "Dispute"],
  "type.security": ["安全", "安全", "Security"],
  "type.phishing_leak": ["信息外泄", "資訊外洩", "Leaked secret"],
  "type.records": ["账单记录", "帳單紀錄", "Records"],
  "type.profile_change": ["改资料", "改資料", "Profile change"],
  "type.verification": ["身份验证", "身分驗證", "Verification"],
  "type.fee": ["手续费", "手續費", "Fee"],
  "type.app_bug": ["应用故障", "程式故障", "App fault"],
  "type.complaint": ["投诉", "投訴", "Complaint"],
  "type.feedback": ["反馈", "意見", "Feedback"],
  "type.other": ["其他", "其他", "Other"],
};
