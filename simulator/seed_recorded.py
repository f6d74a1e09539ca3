"""What recorded Preferences, CompanyInfo, accounts and employees hold besides what the simulator works with.

Nothing here changes what the simulator does; a client finds the members that real companies have (quickbooks-ruby,
preferences.xml and company_info.xml; minimul/qbo_api, deactivate/account and deactivate/employee).
"""

from __future__ import annotations

from simulator.members import Object

_PREFERENCES: Object = {
    "AccountingInfoPrefs": {"TaxYearMonth": "January", "TaxForm": "6"},
    "ProductAndServicesPrefs": {"QuantityOnHand": False},
    "SalesFormsPrefs": {
        "EmailCopyToCompany": False,
        "ETransactionEnabledStatus": "NotApplicable",
        "ETransactionAttachPDF": False,
        "IPNSupportEnabled": False,
        "AutoApplyPayments": True,
        "UsingPriceLevels": False,
        "DefaultCustomerMessage": "Thank you for your business and have a great day!",
    },
    "VendorAndPurchasesPrefs": {
        "POCustomField": [
            {
                "CustomField": [
                    {"Name": f"PurchasePrefs.UsePurchaseCustom{place}", "Type": "BooleanType", "BooleanValue": False}
                    for place in (3, 2, 1)
                ]
            }
        ]
    },
    "TimeTrackingPrefs": {
        "ShowBillRateToAll": False,
        "WorkWeekStartDate": "Monday",
        "MarkTimeEntriesBillable": True,
    },
    "ReportPrefs": {"ReportBasis": "Accrual", "CalcAgingReportFromTxnDate": False},
}
_OTHER_PREFERENCES = {
    "SalesFormsPrefs.DefaultCustomerMessage": "Thank you for your business and have a great day!",
    "DTXCopyMemo": "true",
    "SFCEnabled": "true",
    "DataPartner": "false",
    "Vendor1099Enabled": "true",
    "TimeTrackingFeatureEnabled": "true",
    "FDPEnabled": "false",
    "isDTXOnStage": "false",
    "ProjectsEnabled": "false",
    "DateFormat": "Month Date Year separated by a slash",
    "DateFormatMnemonic": "MMDDYYYY_SEP_SLASH",
    "NumberFormat": "US Number Format",
    "NumberFormatMnemonic": "US_NB",
    "WarnDuplicateCheckNumber": "true",
    "WarnDuplicateBillNumber": "false",
    "WarnDuplicateJournalNumber": "false",
    "SignoutInactiveMinutes": "60",
    "AccountingInfoPrefs.ShowAccountNumbers": "false",
}
_MESSAGES = ("InvoiceMessage", "EstimateMessage", "SalesReceiptMessage", "StatementMessage")
_COMPANY_FACTS = {
    "NeoEnabled": "true",
    "IndustryType": "Architectural services",
    "IndustryCode": "541310",
    "CompanyType": "Corporation",
    "PayrollFeature": "false",
    "AccountantFeature": "false",
}


def preferences(company_name: str, working: Object) -> Object:
    """`working` with the members that recorded preferences have besides."""
    members: Object = {**working}
    for group, recorded in _PREFERENCES.items():
        members[group] = {**recorded, **working.get(group, {})}
    members["EmailMessagesPrefs"] = {
        name: {
            "Subject": f"{name.removesuffix('Message')} from {company_name}",
            "Message": f"Thank you for your business.\n{company_name}",
        }
        for name in _MESSAGES
    }
    pairs = [{"Name": name, "Value": value} for name, value in _OTHER_PREFERENCES.items()]
    others = working.get("OtherPrefs", {}).get("NameValue", [])
    members["OtherPrefs"] = {"NameValue": [*others, *pairs]}
    return members


def company_info(working: Object) -> Object:
    """`working` with the addresses and facts that a recorded company has besides."""
    address = working["CompanyAddr"]
    facts = [{"Name": name, "Value": value} for name, value in _COMPANY_FACTS.items()]
    return {
        **working,
        "CustomerCommunicationAddr": {**address, "Id": "2"},
        "LegalAddr": {**address, "Id": "3"},
        "PrimaryPhone": {"FreeFormNumber": "(555) 555-2368"},
        "WebAddr": {"URI": "https://larch.example"},
        "NameValue": [*facts, *working["NameValue"]],
    }


def account(working: Object, *, kind: str) -> Object:
    """`working` with the balances of an account that nothing was booked to."""
    detail = {"Income": "ServiceFeeIncome", "Expense": "CostOfLabor"}.get(kind, "AccountsReceivable")
    balances = {"CurrentBalance": 0, "CurrentBalanceWithSubAccounts": 0}
    return {**working, "SubAccount": False, "AccountSubType": detail, **balances}
