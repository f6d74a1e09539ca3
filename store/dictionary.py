"""The text against which documents are deflated: the members of Intuit's objects, as we send them and as they are answered.

Rows in databases are read by it. So it never changes: a better one gets the next number in `store.sql`.
"""

from __future__ import annotations

from typing import Final

DICTIONARY: Final = (
    # Members that some objects have.
    b'"Notes":"","Title":"","GivenName":"","MiddleName":"","FamilyName":"","Suffix":"","Mobile":{"FreeFormNumber":""},'
    b'"PrimaryPhone":{"FreeFormNumber":""},"WebAddr":{"URI":"https://www."},"PrimaryTaxIdentifier":"","ResaleNum":"",'
    b'"ShipAddr":{"Id":"","Line1":"","Line2":"","City":"","Country":"","CountrySubDivisionCode":"","PostalCode":"","Lat":"","Long":""},'
    b'"DefaultTaxCodeRef":{"value":""},"ClientEntityId":"0","PaymentMethodRef":{"value":""},"DepartmentRef":{"value":"","name":""},'
    b'"SalesTermRef":{"value":"","name":"Net 30"},"CustomerMemo":{"value":""},"Deposit":0,"RemainingCredit":,'
    b'"TxnTaxDetail":{"TxnTaxCodeRef":{"value":""},"TotalTax":,"DiscountLineDetail":{"PercentBased":false},'
    b'"LinkedTxn":[{"TxnId":"","TxnType":"Payment"}],"TxnType":"CreditMemo","status":"Deleted",'
    b'"CurrencyRef":{"value":"CAD","name":"Canadian Dollar"},"CurrencyRef":{"value":"USD","name":"United States Dollar"},'
    b'"CurrencyRef":{"value":"EUR","name":"Euro"},"GlobalTaxCalculation":"NotApplicable","PrivateNote":"Kompass credit note ",'
    # A customer, as we send it and as it is answered.
    b'{"DisplayName":"","CompanyName":"","PrimaryEmailAddr":{"Address":""},"BillAddr":{"Line1":"","City":"","PostalCode":"",'
    b'"Country":"United Kingdom"},"Job":true,"ParentRef":{"value":""},"BillWithParent":true,"CurrencyRef":{"value":"GBP"},'
    b'"#template":"{{ project.reference }} {{ project.name }}","#template":"{{ client.name }}","#suffix":""}'
    b'"Job":false,"BillWithParent":false,"Level":1,"IsProject":false,"Active":true,"FullyQualifiedName":"","Id":"","SyncToken":"0",'
    b'"Balance":0}'
    # An invoice, as we send it and as it is answered.
    b'{"DocNumber":"","CustomerRef":{"value":""},"TxnDate":"202","DueDate":"202","CurrencyRef":{"value":"GBP"},"ExchangeRate":,'
    b'"PrivateNote":"Kompass invoice  ()\\nProject ","BillEmail":{"Address":""},"BillAddr":{"Line1":"","Line2":"","City":"",'
    b'"PostalCode":"","Country":""},"CustomField":[{"DefinitionId":"1","StringValue":""}],"GlobalTaxCalculation":"TaxExcluded",'
    b'"Line":[{"LineNum":1,"Description":"","Amount":,"DetailType":"SalesItemLineDetail","SalesItemLineDetail":{"ItemRef":{"value":""},'
    b'"Qty":,"UnitPrice":,"ClassRef":{"value":""},"TaxCodeRef":{"value":""}}}],"#template":"{{ invoice.reference }}",'
    b'"#party":"client/","#party":"project/","#project_customers":true,"#project_customers":false,"#mark":"Kompass invoice ",'
    b'"#billed":{"net":,"tax":,"lines":1,"rates":[20],"code_rates":[20],"automated":false,"low":,"high":}}'
    b'"CurrencyRef":{"value":"GBP","name":"British Pound Sterling"},"CustomField":[{"DefinitionId":"1","Name":"","Type":"StringType"},'
    b'{"DefinitionId":"2","Name":"","Type":"StringType"},{"DefinitionId":"3","Name":"","Type":"StringType"}],"TxnTaxDetail":{"TotalTax":,'
    b'"TaxLine":[{"Amount":,"DetailType":"TaxLineDetail","TaxLineDetail":{"TaxRateRef":{"value":""},"PercentBased":true,"TaxPercent":20,'
    b'"NetAmountTaxable":}}]},"Line":[{"Id":"1","LineNum":1,"Description":"","Amount":,"DetailType":"SalesItemLineDetail",'
    b'"SalesItemLineDetail":{"ItemRef":{"value":"","name":""},"ClassRef":{"value":"","name":""},"UnitPrice":,"Qty":,'
    b'"ItemAccountRef":{"value":"","name":"Sales of Services"},"TaxCodeRef":{"value":""}}},{"Amount":,"DetailType":"SubTotalLineDetail",'
    b'"SubTotalLineDetail":{}}],"CustomerRef":{"value":"","name":""},"TotalAmt":,"LinkedTxn":[],"Balance":,"HomeTotalAmt":,"HomeBalance":,'
    b'"Id":"","SyncToken":"0"}'
)
PARTS_DICTIONARY: Final = (
    DICTIONARY.replace(b',"#template"', b'},{"template"').replace(b'"automated":false,', b"").replace(b'"#', b'"')
)
"""For what we sent, in two parts: the notes follow the members, and are left out where they say nothing."""
