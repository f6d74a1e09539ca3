// The story of the tests with Intuit's Java SDK: java -cp ... Story.java json|xml. One JSON line a step.
import com.google.gson.JsonObject;
import com.intuit.ipp.core.Context;
import com.intuit.ipp.core.IEntity;
import com.intuit.ipp.core.ServiceType;
import com.intuit.ipp.data.CompanyInfo;
import com.intuit.ipp.data.CreditMemo;
import com.intuit.ipp.data.Customer;
import com.intuit.ipp.data.EntityStatusEnum;
import com.intuit.ipp.data.Invoice;
import com.intuit.ipp.data.Line;
import com.intuit.ipp.data.LineDetailTypeEnum;
import com.intuit.ipp.data.OperationEnum;
import com.intuit.ipp.data.PhysicalAddress;
import com.intuit.ipp.data.Preferences;
import com.intuit.ipp.data.ReferenceType;
import com.intuit.ipp.data.SalesItemLineDetail;
import com.intuit.ipp.data.SalesTransaction;
import com.intuit.ipp.exception.AuthenticationException;
import com.intuit.ipp.exception.FMSException;
import com.intuit.ipp.security.OAuth2Authorizer;
import com.intuit.ipp.services.BatchOperation;
import com.intuit.ipp.services.CDCQueryResult;
import com.intuit.ipp.services.DataService;
import com.intuit.ipp.services.QueryResult;
import com.intuit.ipp.util.Config;
import com.intuit.oauth2.client.OAuth2PlatformClient;
import com.intuit.oauth2.config.OAuth2Config;
import com.intuit.oauth2.config.Scope;
import com.intuit.oauth2.data.BearerTokenResponse;
import com.intuit.oauth2.exception.OAuthException;
import java.math.BigDecimal;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;

public class Story {
  interface Step {
    void run() throws Exception;
  }

  static final String BASE = System.getenv("SIMULATOR_URL");
  static final String REALM = System.getenv("SIMULATOR_REALM");
  static final String CALLBACK = "http://localhost:8000/callback";

  static OAuth2Config config;
  static OAuth2PlatformClient oauth;
  static BearerTokenResponse tokens;
  static DataService service;
  static Customer customer;
  static Invoice invoice;

  public static void main(String[] arguments) throws Exception {
    Config.setProperty(Config.BASE_URL_QBO, BASE + "/v3/company");
    // The other transport of the SDK drops the port of an address.
    Config.setProperty(Config.HTTP_TRANSPORT, "HTTP_URL_CONNECTION");
    Config.setProperty(Config.SERIALIZATION_REQUEST_FORMAT, arguments[0]);
    Config.setProperty(Config.SERIALIZATION_RESPONSE_FORMAT, arguments[0]);
    Map<String, Step> steps = new LinkedHashMap<>();
    steps.put("authorizeUri", Story::authorize);
    steps.put("token", Story::exchange);
    steps.put("refresh", Story::refresh);
    steps.put("create", Story::create);
    steps.put("read", Story::read);
    steps.put("sparse update", Story::update);
    steps.put("a fault", Story::fault);
    steps.put("sub-customer", Story::subCustomer);
    steps.put("query", Story::query);
    steps.put("void", Story::voidInvoice);
    steps.put("delete", Story::delete);
    steps.put("credit memo", Story::creditMemo);
    steps.put("batch", Story::batch);
    steps.put("CDC", Story::changes);
    steps.put("company and preferences", Story::company);
    steps.put("user info", Story::userInfo);
    steps.put("revoke", Story::revoke);
    for (Map.Entry<String, Step> step : steps.entrySet()) {
      String detail = "";
      try {
        step.getValue().run();
      } catch (Exception | AssertionError | LinkageError problem) {
        detail = problem.toString();
        if (problem instanceof FMSException && ((FMSException) problem).getErrorList() != null) {
          for (com.intuit.ipp.data.Error error : ((FMSException) problem).getErrorList()) {
            detail += " " + error.getCode() + " " + error.getMessage() + " " + error.getDetail();
          }
        }
        StackTraceElement[] trace = problem.getStackTrace();
        detail += trace.length > 0 ? " at " + trace[0] : "";
      }
      JsonObject line = new JsonObject();
      line.addProperty("step", step.getKey());
      line.addProperty("ok", detail.isEmpty());
      line.addProperty("detail", detail.length() > 500 ? detail.substring(0, 500) : detail);
      System.out.println(line);
    }
  }

  static void authorize() throws Exception {
    config =
        new OAuth2Config.OAuth2ConfigBuilder("simulator-client", "simulator-secret")
            .callDiscoveryAPI(BASE + "/.well-known/openid_sandbox_configuration/")
            .buildConfig();
    same(BASE + "/oauth2/v1/tokens/bearer", config.getIntuitBearerTokenEndpoint());
    String url = config.prepareUrl(List.of(Scope.Accounting), CALLBACK, "state-1");
    same(true, url.startsWith(BASE + "/connect/oauth2?"));
    same(true, url.contains("state=state-1"));
  }

  static void exchange() throws Exception {
    oauth = new OAuth2PlatformClient(config);
    tokens = oauth.retrieveBearerTokens(System.getenv("SIMULATOR_CODE"), CALLBACK);
    same(3600L, tokens.getExpiresIn());
  }

  static void refresh() throws Exception {
    tokens = oauth.refreshToken(tokens.getRefreshToken());
    OAuth2Authorizer authorizer = new OAuth2Authorizer(tokens.getAccessToken());
    service = new DataService(new Context(authorizer, ServiceType.QBO, REALM));
  }

  static void create() throws Exception {
    Customer wanted = named("Amy's Bird Sanctuary");
    PhysicalAddress address = new PhysicalAddress();
    address.setLine1("1 High Street");
    address.setCity("Larchton");
    wanted.setBillAddr(address);
    customer = service.add(wanted);
    same("0", customer.getSyncToken());
    same("Amy's Bird Sanctuary", customer.getFullyQualifiedName());
    same("Larchton", customer.getBillAddr().getCity());
  }

  static void read() throws Exception {
    same("Amy's Bird Sanctuary", service.findById(customer).getDisplayName());
  }

  static void update() throws Exception {
    Customer change = new Customer();
    change.setId(customer.getId());
    change.setSyncToken(customer.getSyncToken());
    change.setSparse(true);
    change.setNotes("Feathers & seeds");
    Customer made = service.update(change);
    same("1", made.getSyncToken());
    same("Feathers & seeds", made.getNotes());
    same("Larchton", made.getBillAddr().getCity());
    customer = made;
  }

  static void fault() throws Exception {
    try {
      service.add(named("amy's bird sanctuary"));
      throw new AssertionError("a name was given twice");
    } catch (FMSException refused) {
      same("6240", refused.getErrorList().get(0).getCode());
    }
  }

  static void subCustomer() throws Exception {
    Customer job = named("Aviary");
    job.setJob(true);
    job.setParentRef(reference(customer.getId()));
    Customer made = service.add(job);
    same(1, made.getLevel());
    same("Amy's Bird Sanctuary:Aviary", made.getFullyQualifiedName());
  }

  static void query() throws Exception {
    QueryResult found =
        service.executeQuery("select * from Customer where DisplayName = 'Amy\\'s Bird Sanctuary'");
    same(1, found.getEntities().size());
    same(customer.getId(), ((Customer) found.getEntities().get(0)).getId());
    same(2, service.executeQuery("select count(*) from Customer").getTotalCount());
  }

  static void voidInvoice() throws Exception {
    invoice = service.add(document(new Invoice()));
    same(0, invoice.getTotalAmt().compareTo(BigDecimal.valueOf(100)));
    Invoice gone = service.voidRequest(only(new Invoice(), invoice.getId(), invoice.getSyncToken()));
    same(0, gone.getTotalAmt().signum());
    same("Voided", gone.getPrivateNote());
  }

  static void delete() throws Exception {
    Invoice made = service.add(document(new Invoice()));
    Invoice gone = service.delete(only(new Invoice(), made.getId(), made.getSyncToken()));
    same(EntityStatusEnum.DELETED, gone.getStatus());
  }

  static void creditMemo() throws Exception {
    CreditMemo made = service.add(document(new CreditMemo()));
    same(0, made.getRemainingCredit().compareTo(BigDecimal.valueOf(100)));
    same(made.getId(), service.findById(made).getId());
  }

  static void batch() throws Exception {
    BatchOperation batch = new BatchOperation();
    batch.addEntity(named("Batched"), OperationEnum.CREATE, "a");
    Customer change = new Customer();
    change.setId(customer.getId());
    change.setSyncToken(customer.getSyncToken());
    change.setSparse(true);
    change.setNotes("Fewer feathers");
    batch.addEntity(change, OperationEnum.UPDATE, "b");
    batch.addEntity(only(new Invoice(), "999", "0"), OperationEnum.DELETE, "c");
    batch.addQuery("select * from Term", "d");
    service.executeBatch(batch);
    same("0", ((Customer) batch.getEntity("a")).getSyncToken());
    same("2", ((Customer) batch.getEntity("b")).getSyncToken());
    same("610", batch.getFault("c").getError().get(0).getCode());
    same(4, batch.getQueryResponse("d").getEntities().size());
  }

  static void changes() throws Exception {
    String since = new java.text.SimpleDateFormat("yyyy-MM-dd'T'HH:mm:ssXXX").format(invoice.getMetaData().getCreateTime());
    List<CDCQueryResult> found = service.executeCDCQuery(List.of(new Customer(), new Invoice()), since);
    Map<String, QueryResult> results = found.get(0).getQueryResults();
    same(2, results.get("Invoice").getEntities().size());
    int deleted = 0;
    for (IEntity one : results.get("Invoice").getEntities()) {
      deleted += ((Invoice) one).getStatus() == EntityStatusEnum.DELETED ? 1 : 0;
    }
    same(1, deleted);
  }

  static void company() throws Exception {
    same("Larch & Co Design", service.findAll(new CompanyInfo()).get(0).getCompanyName());
    Preferences preferences = service.findAll(new Preferences()).get(0);
    same(true, preferences.getSalesFormsPrefs().isCustomTxnNumbers());
  }

  static void userInfo() throws Exception {
    same(true, oauth.getUserInfo(tokens.getAccessToken()).isEmailVerified());
  }

  static void revoke() throws Exception {
    same("SUCCESS", oauth.revokeToken(tokens.getRefreshToken()).getStatus());
    try {
      service.findById(customer);
      throw new AssertionError("a revoked token still opens the company");
    } catch (AuthenticationException refused) {
      // As it should be.
    }
    try {
      oauth.refreshToken(tokens.getRefreshToken());
      throw new AssertionError("a revoked token can still be refreshed");
    } catch (OAuthException refused) {
      // As it should be.
    }
  }

  static Customer named(String name) {
    Customer wanted = new Customer();
    wanted.setDisplayName(name);
    return wanted;
  }

  static <T extends SalesTransaction> T document(T wanted) {
    SalesItemLineDetail detail = new SalesItemLineDetail();
    detail.setItemRef(reference("1"));
    detail.setQty(BigDecimal.valueOf(4));
    detail.setUnitPrice(BigDecimal.valueOf(25));
    Line line = new Line();
    line.setAmount(BigDecimal.valueOf(100));
    line.setDetailType(LineDetailTypeEnum.SALES_ITEM_LINE_DETAIL);
    line.setSalesItemLineDetail(detail);
    wanted.setLine(Collections.singletonList(line));
    wanted.setCustomerRef(reference(customer.getId()));
    return wanted;
  }

  static Invoice only(Invoice wanted, String id, String syncToken) {
    wanted.setId(id);
    wanted.setSyncToken(syncToken);
    return wanted;
  }

  static ReferenceType reference(String id) {
    ReferenceType made = new ReferenceType();
    made.setValue(id);
    return made;
  }

  static void same(Object expected, Object found) {
    if (!Objects.equals(expected, found)) {
      throw new AssertionError("expected " + expected + ", found " + found);
    }
  }
}
